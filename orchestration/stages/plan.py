"""Plans a refresh: which files to load, and whether to build, publish and export. Also missing log days and freshness.

Not here: carrying it out (the other stages).
"""

from dataclasses import dataclass, field
from datetime import datetime

from models.enums import Log
from orchestration.stages.build import is_built
from orchestration.stages.context import AppContext
from orchestration.stages.export import reports_to_export
from orchestration.stages.publish import is_published
from orchestration.stages.sources import reload_lines
from warehouse.export import exports
from warehouse.lake import integrity
from warehouse.landing import completeness
from warehouse.landing.scan import LandingFile
from warehouse.ledger import now


@dataclass(frozen=True)
class RefreshPlan:
    """What a refresh has to do. `files` are the new and changed log files, by log."""

    files: dict[Log, list[LandingFile]] = field(default_factory=dict)
    must_build: bool = False
    must_publish: bool = False
    must_export: bool = False
    reloaded: tuple[str, ...] = ()
    """A line for each reason to load files again: a changed mapping, new rules of admission."""

    @property
    def is_empty(self) -> bool:
        return not (any(self.files.values()) or self.must_build or self.must_publish or self.must_export)


def plan_refresh(context: AppContext, *, verify: bool = False, full_refresh: bool = False) -> RefreshPlan:
    """Compares landing zone (with `verify`, checksums), lake, candidate, publication and exports, and changes none of them.

    Until a log file is loaded there is nothing to do: marts without rows would look like marts of a day without messages.

    Raises:
        LandingZoneMissing: the landing zone is not there.
        SourcesMissing: the mappings of its files are not there.
    """
    zone = context.open_landing()
    if not zone.files and not context.has_files():
        return RefreshPlan()
    files = {log: context.ledger.pending_files(zone.files_of(log), verify=verify) for log in Log}
    is_damaged = bool(integrity.find_damaged(context.paths, context.ledger, verify_checksums=verify))
    must_build = full_refresh or any(files.values()) or is_damaged or not is_built(context)
    candidate = context.ledger.candidate()
    must_publish = must_build or candidate is None or not is_published(context, candidate)
    must_export = must_publish or bool(reports_to_export(context))
    pending = [file for of_log in files.values() for file in of_log]
    return RefreshPlan(files, must_build, must_publish, must_export, tuple(reload_lines(pending, context.ledger)))


def missing_days(context: AppContext) -> completeness.Days:
    """By log, the days that are due and have no file, neither in the landing zone nor in the lake."""
    files: list[completeness.DatedFile] = [*context.ledger.files(), *context.scan_landing().files]
    last_due = completeness.last_due_date(now(), context.settings.log_grace_hours)
    return completeness.missing_days(files, context.settings.logs_expected_daily, last_due)


def late_days(context: AppContext) -> completeness.Days:
    """The missing days that are recent enough to be waited for."""
    return completeness.late_days(missing_days(context), now())


def freshness_times(context: AppContext) -> dict[str, datetime]:
    """The time (UTC) up to which each published asset is fresh; a good refresh renews it. Empty before a publication."""
    published, last_success = context.ledger.last_publication(), context.ledger.last_good_refresh()
    if published is None:
        return {}
    fresh_at = max(published[1], last_success.started_at) if last_success else published[1]
    outdated = reports_to_export(context)
    times = {f"exports/{report}": published[1] if report in outdated else fresh_at for report in exports.REPORTS}
    return {"published/marts": fresh_at, **times}
