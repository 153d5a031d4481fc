"""Compares Sendmart's marts and quarantined rows with those of the baseline, or of another engine.

Not here: when they are compared (`harness`, `shapes`, `engines`).
"""

from pathlib import Path

import duckdb

from benchmarks import baseline
from benchmarks.stage import BASELINE_FOLDER
from models.marts import BASE_MARTS, INSIGHTS, columns
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import fetch_value

ROWS_AT_A_TIME = 1_000_000
"""Marts with more rows are compared in parts, which takes less memory."""

SHOWN_DIFFERENCES = 50

RELATIVE_TOLERANCE = 1e-9
"""Of doubles of the insights: a sum of them depends on the order of the rows."""


class FiguresDiffer(Exception):
    """Two ways to compute the marts give different rows, so their costs cannot be compared."""


def require_baseline_figures(settings: Settings, data: Path, *, same_files: bool = True) -> None:
    """Compares the candidate of a data folder and its quarantine with the baseline's.

    Without `same_files`, the baseline read the same rows from other files: quarantined rows are counted only.

    Raises:
        FiguresDiffer: a mart or the quarantine differs.
    """
    paths, folder = DataPaths(data), data / BASELINE_FOLDER
    differing = mart_differences(settings, paths.candidate, folder / baseline.MARTS)
    ours, theirs = _rejection_differences(paths.published_quarantine, folder / "quarantine.duckdb")
    if same_files:
        differing += [f"quarantined by Sendmart only: {row}" for row in ours]
        differing += [f"quarantined by the baseline only: {row}" for row in theirs]
    elif len(ours) != len(theirs):
        differing.append(f"quarantined rows: {len(ours)} by Sendmart only, {len(theirs)} by the baseline only")
    if differing:
        raise FiguresDiffer("\n".join(differing[:SHOWN_DIFFERENCES]))


def mart_differences(settings: Settings, first: Path, second: Path) -> list[str]:
    """One line for each mart that differs between two files; none if all rows are equal."""
    differing = []
    with duckdb.connect(config={"memory_limit": settings.memory_limit, "threads": settings.threads}) as connection:
        connection.execute(f"attach '{first}' as first (read_only)")
        connection.execute(f"attach '{second}' as second (read_only)")
        for mart in BASE_MARTS:
            parts = fetch_value(connection, f"select count(*) from first.marts.{mart}") // ROWS_AT_A_TIME + 1
            only_first, only_second = (
                sum(_rows_only_in(connection, *files, mart, part, parts) for part in range(parts))
                for files in (("first", "second"), ("second", "first"))
            )
            if only_first or only_second:
                differing.append(f"{mart}: {only_first} rows in {first} only, {only_second} in {second} only")
    return differing


def require_baseline_insights(settings: Settings, data: Path) -> None:
    """Compares the insights of the candidate of a data folder with the baseline's.

    Raises:
        FiguresDiffer: a table differs.
    """
    if differing := insight_differences(settings, DataPaths(data).candidate, data / BASELINE_FOLDER / baseline.MARTS):
        raise FiguresDiffer("\n".join(differing))


def insight_differences(settings: Settings, first: Path, second: Path) -> list[str]:
    """One line for each insight that differs between two files; none if all rows are equal."""
    differing = []
    with duckdb.connect(config={"memory_limit": settings.memory_limit, "threads": settings.threads}) as connection:
        connection.execute(f"attach '{first}' as first (read_only)")
        connection.execute(f"attach '{second}' as second (read_only)")
        for name, mart in INSIGHTS.items():
            same_key = " and ".join(f"ours.{column} is not distinct from theirs.{column}" for column in mart.key)
            same_values = " and ".join(
                f"coalesce(abs(ours.{column.name} - theirs.{column.name}) <= {RELATIVE_TOLERANCE}"
                f" * greatest(abs(ours.{column.name}), abs(theirs.{column.name})),"
                f" ours.{column.name} is null and theirs.{column.name} is null)"
                if column.sql_type == "double"
                else f"ours.{column.name} is not distinct from theirs.{column.name}"
                for column in columns(name)
            )
            rows = fetch_value(
                connection,
                f"select count(*) from (select *, true as is_row from first.{mart.schema}.{name}) as ours"
                f" full join (select *, true as is_row from second.{mart.schema}.{name}) as theirs on {same_key}"
                f" where not coalesce(ours.is_row and theirs.is_row and {same_values}, false)",
            )
            if rows:
                differing.append(f"{name}: {rows} rows of {first} and {second} differ")
    return differing


def _rows_only_in(
    connection: duckdb.DuckDBPyConnection, file: str, other: str, mart: str, part: int, parts: int
) -> int:
    """The number of rows of a part of a mart that are in one file only; equal rows count as often as they occur."""
    names = ", ".join(column.name for column in columns(mart))
    in_part = f"where hash({', '.join(BASE_MARTS[mart].key)}) % {parts} = {part}"
    count: int = fetch_value(
        connection,
        f"select count(*) from (select {names} from {file}.marts.{mart} {in_part}"
        f" except all select {names} from {other}.marts.{mart} {in_part})",
    )
    return count


def _rejection_differences(ours: Path, theirs: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The rows (log, file, row number) that only one of two quarantines holds."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{theirs}' as theirs (read_only)")
        only_ours, only_theirs = (
            connection.execute(
                f"select log, source_file, row_number from {file}.rejected_rows except all"
                f" select log, source_file, row_number from {other}.rejected_rows order by all"
            ).fetchall()
            for file, other in (("ours", "theirs"), ("theirs", "ours"))
        )
        return only_ours, only_theirs
