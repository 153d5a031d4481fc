"""Whether two ways came to the same: every mart held against every mart, and the rows turned away.

Not here: what is done about it (`harness`).
"""

from pathlib import Path

import duckdb

from models.marts import DBT_MARTS, columns
from warehouse.config.settings import Settings

ROWS_AT_A_TIME = 1_000_000
"""Marts with more rows are compared in parts, so that it takes little memory."""


def differences(settings: Settings, ours: Path, baseline: Path) -> list[str]:
    """What differs between the marts of two files; nothing where they are equal row for row."""
    found = []
    with duckdb.connect(config={"memory_limit": settings.memory_limit, "threads": settings.threads}) as connection:
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{baseline}' as baseline (read_only)")
        for mart in DBT_MARTS:
            (rows,) = connection.execute(f"select count(*) from ours.marts.{mart}").fetchone()
            parts = rows // ROWS_AT_A_TIME + 1
            missing = surplus = 0
            for part in range(parts):
                missing += _only_in(connection, "baseline", "ours", mart, part, parts)
                surplus += _only_in(connection, "ours", "baseline", mart, part, parts)
            if missing or surplus:
                found.append(
                    f"{mart}: {missing} rows of the baseline are not in it, {surplus} of its rows are not there"
                )
    return found


def _only_in(connection: duckdb.DuckDBPyConnection, one: str, other: str, mart: str, part: int, parts: int) -> int:
    """How many rows of a part of a mart are in one file and not in the other, counted as often as they occur."""
    shown = ", ".join(column.name for column in columns(mart))
    of_part = f"where hash({', '.join(DBT_MARTS[mart].key)}) % {parts} = {part}"
    (rows,) = connection.execute(
        f"select count(*) from (select {shown} from {one}.marts.{mart} {of_part}"
        f" except all select {shown} from {other}.marts.{mart} {of_part})"
    ).fetchone()
    return rows


def differing_rejections(ours: Path, baseline: Path) -> list[str]:
    """Rows that one way turned away and the other did not, as log, file and row number."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{baseline}' as baseline (read_only)")
        ours_only, baseline_only = (
            connection.execute(
                f"select log, source_file, row_number from {one} except all"
                f" select log, source_file, row_number from {other} order by all"
            ).fetchall()
            for one, other in (
                ("ours.rejected_rows", "baseline.rejected_rows"),
                ("baseline.rejected_rows", "ours.rejected_rows"),
            )
        )
        return [f"quarantined by it alone: {row}" for row in ours_only] + [
            f"quarantined by the baseline alone: {row}" for row in baseline_only
        ]
