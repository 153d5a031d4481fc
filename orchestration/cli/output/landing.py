"""Prints what the landing zone holds beside log files: ignored files, and the names that would be right for them.

Not here: which names are those of log files (`warehouse.landing.names`), the log files of a refresh.
"""

from orchestration.stages import AppContext
from orchestration.stages.sources import SourcesMissing
from orchestration.wording import counted
from warehouse.ingest.sources import MappingInvalid
from warehouse.landing import LandingZone, LandingZoneMissing
from warehouse.landing.proposals import IgnoredFiles

FILES_IN_STATUS = 50


def ignored_lines(zone: LandingZone, max_files: int) -> list[str]:
    """A line for each ignored file; of more than `max_files`, how many there are."""
    ignored = IgnoredFiles(zone)
    lines = [f"ignored: {ignored.describe(name)}" for name in zone.ignored[:max_files]]
    more = len(zone.ignored) - max_files
    if more > 0 and max_files < FILES_IN_STATUS:
        lines.append(f"… and {counted(more, 'more ignored file')}: sendmart status")
    elif more > 0:
        lines.append(f"… and {counted(more, 'more ignored file')}")
    return lines


def status_lines(context: AppContext) -> list[str]:
    """For `sendmart status`: that there is no landing zone, or the files in it that are ignored."""
    try:
        return ignored_lines(context.open_landing(), FILES_IN_STATUS)
    except LandingZoneMissing as error:
        return [f"no landing zone: {error}"]
    except (MappingInvalid, SourcesMissing) as error:
        return [f"no refresh is possible: {error}"]
