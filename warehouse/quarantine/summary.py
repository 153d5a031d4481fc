"""Counts of rejected rows: the most frequent reasons by file or log, and the first row with each.

A summary holds counts, file names and row numbers. It holds no row and no value, because they are personal data.

Not here: how rows get into quarantine (`warehouse.ingest.load`), their export for repair (`warehouse.quarantine.export`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.rejections import WITHOUT_VALUES
from warehouse.duckdb_tools import new_session
from warehouse.duckdb_tools.sql import literal
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
) -> dict[tuple[str, str], tuple[Reason, ...]]:
    """The most frequent reasons of each file, at most `limit`, by log and file name. A row can have several reasons."""
    reasons: dict[tuple[str, str], tuple[Reason, ...]] = {}
    for log, reason in _count_reasons(quarantine, files, "log, source_file", limit):
        key = log, reason.source_file
        reasons[key] = (*reasons.get(key, ()), reason)
    return reasons


def most_frequent_reasons(quarantine: Path, files: Iterable[LoadedFile], limit: int) -> list[Reason]:
    """The most frequent reasons over all files of a log, at most `limit`."""
    return [reason for _, reason in _count_reasons(quarantine, files, "log", limit)]


def _count_reasons(
    quarantine: Path, files: Iterable[LoadedFile], group: str, limit: int
) -> Iterator[tuple[str, Reason]]:
    """The most frequent reasons in each group of rows, which are SQL columns, each with its log."""
    paths = [lake_tables.path_of(quarantine, file) for file in files if file.rejected]
    existing = [str(path) for path in paths if path.exists()]
    if not existing:
        return
    listed = ", ".join(map(literal, existing))
    values, without = map(literal, WITHOUT_VALUES)
    with new_session() as connection:
        # With a parameter, DuckDB would import pandas: a quarter of the time of `sendmart status`.
        rows = connection.execute(
            "with reasons as ("
            "  select split_part(filename, '/', -3) as log, source_file, row_number,"
            f"    regexp_replace(unnest(reasons), {values}, {without}) as reason"
            f"  from read_parquet([{listed}], filename = true, hive_partitioning = false, union_by_name = true)"
            "), counted as ("
            "  select reason, count(*) as rows, min({'file': source_file, 'row': row_number}) as first,"
            f" {group} from reasons group by reason, {group}"
            ") select log, reason, rows, first.file, first.row from counted"
            f" qualify row_number() over (partition by {group} order by rows desc, reason) <= {limit}"
            f" order by {group}, rows desc, reason"
        ).fetchall()
    for log, *reason in rows:
        yield log, Reason(*reason)
