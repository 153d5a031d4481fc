"""What has been loaded of each log, summed over its files.

Not here: the files themselves (`warehouse.ledger.files`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from models.enums import Log
from warehouse.ledger.files import LoadedFile


@dataclass(frozen=True)
class LogSummary:
    """Loaded files and rows of one log. A refused file has no rows. The dates are None if there is no file."""

    files: int
    accepted_rows: int
    rejected_rows: int
    refused_files: int
    first_log_date: date | None
    last_log_date: date | None


def summarize_logs(files: Iterable[LoadedFile]) -> dict[Log, LogSummary]:
    """A summary of every log, in the order of `Log`."""
    by_log: dict[Log, list[LoadedFile]] = {log: [] for log in Log}
    for file in files:
        by_log[file.log].append(file)
    return {
        log: LogSummary(
            files=len(loaded),
            accepted_rows=sum(file.accepted for file in loaded),
            rejected_rows=sum(file.rejected for file in loaded),
            refused_files=sum(file.refusal is not None for file in loaded),
            first_log_date=min((file.log_date for file in loaded), default=None),
            last_log_date=max((file.log_date for file in loaded), default=None),
        )
        for log, loaded in by_log.items()
    }
