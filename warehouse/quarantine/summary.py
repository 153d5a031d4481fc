"""What is in quarantine, in sum: by file or by log, which reasons, how often, and where the first such row is.

Counts and places alone: a row itself is somebody's data.

Not here: how rows get there (`warehouse.ingest.load`), the way back (`warehouse.quarantine.export`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from models.enums import Log
from warehouse.lake import tables as lake_tables


class QuarantinedFile(lake_tables.LogFile, Protocol):
    """A loaded log file (`warehouse.ledger.LoadedFile`)."""

    @property
    def rejected(self) -> int: ...


@dataclass(frozen=True)
class Reason:
    """A reason, the number of rows that have it, and the first of them: file and row number."""

    reason: str
    rows: int
    source_file: str
    row_number: int


def reasons_by_file(
    quarantine: Path, files: Iterable[QuarantinedFile], most: int
) -> dict[tuple[Log, str], tuple[Reason, ...]]:
    """By log and file, its most frequent reasons, at most so many. A row may have several."""
    found: dict[tuple[Log, str], list[Reason]] = {}
    for log, of_log in _by_log(files).items():
        for reason in _reasons(quarantine, of_log, "source_file", most):
            found.setdefault((log, reason.source_file), []).append(reason)
    return {key: tuple(reasons) for key, reasons in found.items()}


def reasons_of(quarantine: Path, files: Iterable[QuarantinedFile], most: int) -> list[Reason]:
    """The most frequent reasons over some files of one log, at most so many."""
    return [reason for of_log in _by_log(files).values() for reason in _reasons(quarantine, of_log, "true", most)]


def _by_log(files: Iterable[QuarantinedFile]) -> dict[Log, list[QuarantinedFile]]:
    by_log: dict[Log, list[QuarantinedFile]] = {}
    for file in files:
        if file.rejected:
            by_log.setdefault(file.log, []).append(file)
    return by_log


def _reasons(quarantine: Path, files: list[QuarantinedFile], by: str, most: int) -> list[Reason]:
    paths = [lake_tables.path_of(quarantine, file) for file in files]
    existing = [str(path) for path in paths if path.exists()]
    if not existing:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "with told as ("
            "  select source_file, row_number, unnest(reasons) as reason"
            " from read_parquet($files, hive_partitioning = false)"
            "), counted as ("
            f"  select reason, count(*) as rows, min({{'file': source_file, 'row': row_number}}) as first, {by} as told_of"
            "  from told group by reason, told_of"
            ") select reason, rows, first.file, first.row from counted"
            " qualify row_number() over (partition by told_of order by rows desc, reason) <= $most"
            " order by told_of, rows desc, reason",
            {"files": existing, "most": most},
        ).fetchall()
    return [Reason(*row) for row in rows]
