"""What is in quarantine, in sum: by file or by log, which reasons, how often, and where the first such row is.

Counts and places alone: a row itself is somebody's data.

Not here: how rows get there (`warehouse.ingest.load`), the way back (`warehouse.quarantine.export`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from models.enums import Log
from warehouse.foundation import DataPaths, LoadedFile, literal
from warehouse.lake import tables as lake_tables


@dataclass(frozen=True)
class Reason:
    """A reason, the number of rows that have it, and the first of them: file and row number."""

    reason: str
    rows: int
    source_file: str
    row_number: int


def reasons_by_file(
    paths: DataPaths, files: Iterable[LoadedFile], most: int
) -> dict[tuple[Log, str], tuple[Reason, ...]]:
    """By log and file, its most frequent reasons, at most so many. A row may have several."""
    found: dict[tuple[Log, str], list[Reason]] = {}
    for log, of_log in _by_log(files).items():
        for reason in _reasons(paths, of_log, "source_file", most):
            found.setdefault((log, reason.source_file), []).append(reason)
    return {key: tuple(reasons) for key, reasons in found.items()}


def reasons_of(paths: DataPaths, files: Iterable[LoadedFile], most: int) -> list[Reason]:
    """The most frequent reasons over some files of one log, at most so many."""
    return [reason for of_log in _by_log(files).values() for reason in _reasons(paths, of_log, "true", most)]


def _by_log(files: Iterable[LoadedFile]) -> dict[Log, list[LoadedFile]]:
    by_log: dict[Log, list[LoadedFile]] = {}
    for file in files:
        if file.rejected:
            by_log.setdefault(file.log, []).append(file)
    return by_log


def _reasons(paths: DataPaths, files: list[LoadedFile], by: str, most: int) -> list[Reason]:
    places = [lake_tables.path_of(paths.quarantine, file) for file in files]
    listed = ", ".join(literal(path) for path in places if path.exists())
    if not listed:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "with told as ("
            "  select source_file, row_number, unnest(reasons) as reason"
            f" from read_parquet([{listed}], hive_partitioning = false)"
            "), counted as ("
            f"  select reason, count(*) as rows, min({{'file': source_file, 'row': row_number}}) as first, {by} as told_of"
            "  from told group by reason, told_of"
            ") select reason, rows, first.file, first.row from counted"
            " qualify row_number() over (partition by told_of order by rows desc, reason) <= ?"
            " order by told_of, rows desc, reason",
            [most],
        ).fetchall()
    return [Reason(*row) for row in rows]
