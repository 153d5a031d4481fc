"""An explanation, and the queries that fill it: on the build of the id, and on the published marts.

Not here: what each kind of id is explained by (`campaign`, `message`, `order`, `contact`), how an explanation is printed
(`orchestration.cli.output.explanations`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import duckdb

from models.enums import BotClicks, Log
from models.masking import MASKED_COLUMNS, PROVIDER_COLUMNS, masked_number
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import fetch_value, literal, masked_value
from warehouse.explain.id_build import Deduplication
from warehouse.ledger import Ledger

MAX_ROWS = 10
"""The rows of a list that are shown; the others are counted."""


def came_in(log: Log, row: str = "") -> str:
    """The column that names the file and the row of the log that a row came from; `row` is the prefix of its columns."""
    return f"'{log}/' || {row}source_file || ', row ' || {row}row_number as came_in"


@dataclass(frozen=True)
class Listing:
    """The first rows of a list, and the number of all its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


@dataclass(frozen=True)
class Basis:
    """The published build that the explanation is compared with. `is_current`: it was made from the lake as it is now."""

    build_id: str | None
    published_at: datetime | None
    is_current: bool
    data_until: date | None


@dataclass
class Explanation:
    """Why the figures of one id are what they are: figures from the lake as it is now (`conclusion`), and as `published`."""

    kind: str
    key: str
    basis: Basis
    conclusion: dict[str, Any] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def disagreements(self) -> dict[str, tuple[Any, Any]]:
        """The figures whose published value differs: the value now, the published value."""
        return {
            name: (value, self.published[name])
            for name, value in self.conclusion.items()
            if name in self.published and self.published[name] != value
        }


class UnknownId(Exception):
    """No row of the lake has the id. The message names the quarantined rows that mention it."""


@dataclass(frozen=True)
class Queries:
    """A connection with the build of the id and, if there is one, `published.marts`. `$key` in a query is the id."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger
    connection: duckdb.DuckDBPyConnection
    deduplication: Mapping[Log, Deduplication]
    has_published: bool
    explanation: Explanation

    def _execute(self, query: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        cursor = self.connection.execute(query, {"key": self.explanation.key} if "$key" in query else {})
        return tuple(column[0] for column in cursor.description), cursor.fetchall()

    def records(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, each by column name."""
        names, rows = self._execute(query)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def add_list(self, title: str, columns: str, query: str) -> bool:
        """Adds the first rows of a query (`from … order by …`) to the explanation; false if it has none."""
        _, ((total,),) = self._execute(f"select count(*) from (select 1 {query})")
        if not total:
            return False
        names, rows = self._execute(f"select {columns} {query} limit {MAX_ROWS}")
        masked_rows = tuple(
            tuple(
                masked_number(value) if name in MASKED_COLUMNS and value else value
                for name, value in zip(names, row, strict=True)
            )
            for row in rows
        )
        self.explanation.listings.append(Listing(title, names, masked_rows, total))
        return True

    def add_rows_of_log(self, log: Log, columns: str) -> bool:
        """Adds the rows of a log with the id, the kept one first."""
        columns = f"if(row_rank = 1, 'kept', '') as kept, {columns}, {came_in(log)}"
        return self.add_list(f"Rows of the {log} log", columns, f"from {log}_rows order by row_rank")

    def add_rules(self, *rules: str) -> None:
        self.explanation.rules.extend(rules)

    def add_rule_about_bots(self) -> None:
        """Adds that clicks of bots do not count, if so."""
        if self.settings.bot_clicks == BotClicks.EXCLUDE:
            self.add_rules(
                "Clicks of bots are left out (SENDMART_BOT_CLICKS=exclude); insights.click_quality lists them"
            )

    def add_published(self, mart: str, key_column: str) -> bool:
        """Adds the published values of the figures; false if the mart has no such row."""
        rows = self.records(f"from published.marts.{mart} where {key_column} = $key") if self.has_published else []
        figures = self.explanation.conclusion
        for row in rows:
            self.explanation.published |= {
                name: self._unmasked(name, value, figures[name]) for name, value in row.items() if name in figures
            }
        return bool(rows)

    def _unmasked(self, name: str, published: Any, current: Any) -> Any:
        """The current value if the published one is the same with phone numbers masked, else the published one."""
        if name not in PROVIDER_COLUMNS or None in (published, current) or published == current:
            return published
        masked = fetch_value(self.connection, f"select {masked_value(name, '$value::varchar')}", {"value": current})
        return current if masked != current and published.startswith(f"{masked}~") else published

    def kept_row(self, log: Log) -> str:
        """In words: which of the rows with the key is kept, and the rule that decided."""
        kept_row, *other_rows = self.records(
            f"select sort_values, rows_of_key, source_file, row_number from {log}_rows order by row_rank limit 2"
        )
        location = f"row {kept_row['row_number']} of {log}/{kept_row['source_file']}"
        if not other_rows:
            return f"its only row in the log is {location}"
        rule = self.deduplication[log].deciding_term(kept_row["sort_values"], other_rows[0]["sort_values"])
        return f"of {kept_row['rows_of_key']} rows in the log, {location} is kept: {rule}"

    def add_quarantined(self) -> None:
        """Adds the rows in quarantine whose text contains the id, and those of sources that contain each of its parts: the
        expression of a mapping may put an id together, with colons.
        """
        parts = [part.lstrip("+") for part in self.explanation.key.split(":")]
        contains_parts = " and ".join(f"contains(raw_row, {literal(part)})" for part in parts)
        if files := sorted(self.paths.quarantine.glob("*/log_date=*/*.parquet")):
            self.add_list(
                "Rows in quarantine that contain the id, or in files of sources its parts: they count in no figure",
                "split_part(filename, '/', -3) as log, source_file, row_number, array_to_string(reasons, '; ') as reasons",
                f"from (select * from read_parquet([{', '.join(literal(file) for file in files)}],"
                " hive_partitioning = true, hive_types = {'log_date': date}, filename = true, union_by_name = true)"
                f" where contains(raw_row, $key) or (regexp_matches(source_file, '^[a-z][a-z0-9_]*:') and {contains_parts}))"
                " order by log_date, source_file, row_number",
            )
