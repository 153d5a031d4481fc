"""Counts of rejected rows: the most frequent reasons by file or log, and the first row with each.

A summary holds counts, file names and row numbers. It holds no row, because a row is personal data.

Not here: how rows get into quarantine (`warehouse.ingest.load`), their export for repair (`warehouse.quarantine.export`).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import duckdb

from models.enums import Log
from warehouse.lake import tables as lake_tables
from warehouse.ledger import LoadedFile


@dataclass(frozen=True)
class Reason:
    """A reason, the number of rows that have it, and the file and row number of the first of them."""

    reason: str
    rows: int
    source_file: str
    row_number: int


def reasons_by_file(
    quarantine: Path, files: Iterable[LoadedFile], limit: int
) -> dict[tuple[Log, str], tuple[Reason, ...]]:
    """The most frequent reasons of each file, at most `limit`, by log and file name. A row can have several reasons."""
    reasons: dict[tuple[Log, str], tuple[Reason, ...]] = {}
    for log, log_files in _files_by_log(files).items():
        for reason in _count_reasons(quarantine, log_files, "source_file", limit):
            key = log, reason.source_file
            reasons[key] = (*reasons.get(key, ()), reason)
    return reasons


def most_frequent_reasons(quarantine: Path, files: Iterable[LoadedFile], limit: int) -> list[Reason]:
    """The most frequent reasons over all files of a log, at most `limit`."""
    counted = (_count_reasons(quarantine, log_files, "true", limit) for log_files in _files_by_log(files).values())
    return list(chain.from_iterable(counted))


def _files_by_log(files: Iterable[LoadedFile]) -> dict[Log, list[LoadedFile]]:
    by_log: dict[Log, list[LoadedFile]] = defaultdict(list)
    for file in files:
        if file.rejected:
            by_log[file.log].append(file)
    return by_log


def _count_reasons(quarantine: Path, files: list[LoadedFile], group: str, limit: int) -> list[Reason]:
    """The most frequent reasons in each group, which is an SQL expression over the rows."""
    paths = [lake_tables.path_of(quarantine, file) for file in files]
    existing = [str(path) for path in paths if path.exists()]
    if not existing:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "with reasons as ("
            "  select source_file, row_number, unnest(reasons) as reason"
            " from read_parquet($files, hive_partitioning = false)"
            "), counted as ("
            "  select reason, count(*) as rows, min({'file': source_file, 'row': row_number}) as first,"
            f" {group} as reason_group"
            "  from reasons group by reason, reason_group"
            ") select reason, rows, first.file, first.row from counted"
            " qualify row_number() over (partition by reason_group order by rows desc, reason) <= $limit"
            " order by reason_group, rows desc, reason",
            {"files": existing, "limit": limit},
        ).fetchall()
    return [Reason(*row) for row in rows]
