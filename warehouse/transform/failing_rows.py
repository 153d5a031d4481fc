"""Says which rows failed a dbt test, and why, from the table of failing rows that dbt stored.

Not here: running the tests (`warehouse.transform.build`), the tests (`dbt_project`).
"""

import duckdb

from models.masking import sanitize

MOST_NAMED = 5
"""The most problems and the most rows that a description names."""

_KEY_COLUMNS = (
    *("mart", "campaign_id", "message_id", "order_id", "click_id"),
    *("currency", "log", "kind", "provider", "provider_status"),
)
"""The columns that name a row, as far as a table has them. Contacts and mobile numbers are never named."""

_LONGEST_VALUE = 80


def describe_failing_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The problems of the failing rows with their counts, then the keys of some rows; empty if the relation has neither.

    A test that finds several kinds of problems has a column `problem`, which holds those of a row, separated by `; `.
    """
    columns = [name for name, *_ in connection.execute(f"describe {relation}").fetchall()]
    parts = []
    if "problem" in columns:
        problems = connection.execute(
            f"select problem, count(*) from (select unnest(string_split(problem, '; ')) as problem from {relation})"
            f" group by problem order by count(*) desc, problem limit {MOST_NAMED}"
        ).fetchall()
        parts += [f"{problem} ({count})" for problem, count in problems]
    keys = [name for name in _KEY_COLUMNS if name in columns]
    if keys:
        rows = connection.execute(f"select distinct {', '.join(keys)} from {relation} order by all limit {MOST_NAMED}")
        named = [
            ", ".join(f"{name} {_short(value)}" for name, value in zip(keys, row, strict=True) if value is not None)
            for row in rows.fetchall()
        ]
        parts += [row for row in named if row]
    return "; ".join(parts)


def _short(value: object) -> str:
    text = sanitize(" ".join(str(value).split()))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
