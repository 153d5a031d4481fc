"""The rows of a report as SQL over the published marts: columns, cells, selection and order.

In a file for people no text cell can be taken for a formula. The type of the column decides that, not the value.

Not here: writing files (`warehouse.export.exports`, `warehouse.export.xlsx`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from models.marts import MARTS, MartColumn, columns, published_columns, published_key, qualified
from warehouse.duckdb_tools import fetch_value, holds_rows, literal, local_time_sql, masked_value
from warehouse.export.csv_stream import PIPE, WrittenCsv, csv_blocks, write_blocks
from warehouse.export.formula_cells import mark_sql
from warehouse.export.layout import Layout

NO_CAMPAIGN = ""
"""The campaign id of rows without a campaign, in exports and the ledger. A real id has at least one character."""

CAMPAIGN_REPORT_COLUMNS = (
    "last_sent_at", "campaign_name", "click_to_delivered_rate", "conversion_rate", "direct_orders", "assisted_orders",
    "last_modified_by", "revenue", "assisted_revenue", "total_segments", "total_clicks", "total_delivered",
    "total_sent", "campaign_type", "unique_clickers", "unsubscribes", "campaign_id",
)  # fmt: skip
"""The columns of the campaign table in the order of the report. Their headers are the labels of the columns."""


REPORT_ORDERS = {
    "campaign_metrics": (("last_sent_at", True), ("campaign_id", False)),
    "skip_reasons": (("skipped_at", True), ("campaign_id", False), ("message_id", False)),
    "attributed_unsubscribes": (("unsubscribed_at", True), ("contact_id", False)),
    "suppressed_numbers": (("suppressed_at", True), ("message_id", False)),
    "sent_after_opt_out": (("sent_at", True), ("message_id", False)),
}
"""The columns by which the pages sort a report at first, each with `True` if descending, where it is not the key. A raw CSV is
in the order of the key.
"""


def cell_sql(column: MartColumn, layout: Layout) -> str:
    """The expression of a CSV cell over `mart`."""
    value = value_sql(column, layout)
    if column.sql_type == "timestamp" and layout.is_raw:
        seconds = f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
        return f"if(microsecond({value}) % 1000000 = 0, {seconds}, strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    if column.sql_type == "timestamp":
        return f"strftime({value}, '%Y-%m-%d %H:%M:%S')"
    return value if layout.is_raw or column.sql_type != "varchar" else mark_sql(value)


def value_sql(column: MartColumn, layout: Layout) -> str:
    """The expression of a value over `mart`: times in local time, to the second, and phone numbers masked, by the layout."""
    value = f"mart.{column.name}"
    if column.sql_type == "timestamp" and not layout.is_raw:
        return f"date_trunc('second', {local_time_sql(value, layout.zone)})"
    return masked_value(column.name, value) if layout.masks_phone_numbers else value


def has_phone_numbers(report: str) -> bool:
    """Whether a report has a column with phone numbers, or with text that may contain one."""
    return any(masked_value(column.name, column.name) != column.name for column in columns(report))


def copy_to_csv_sql(columns: Sequence[tuple[MartColumn, str]], rows_sql: str, order_sql: str, layout: Layout) -> str:
    """The statement that copies a CSV to `PIPE`. `columns` have their headings. `rows_sql` gives the rows as `mart`; the
    order is by their values, not by the cells.
    """
    values = ", ".join(f"mart.{column.name}" for column, _ in columns)
    cells = ", ".join(f'{cell_sql(column, layout)} as "{heading}"' for column, heading in columns)
    texts = [heading for column, heading in columns if column.sql_type == "varchar" and not layout.is_raw]
    return (
        # Values take less memory than cells: sorted first, ten million rows take 16 s of CPU instead of 20.
        f"copy (select {cells} from (select {values} {rows_sql} order by {order_sql}) as mart) to {literal(PIPE)}"
        f" ({csv_options(texts)}, use_tmp_file false)"
    )


def csv_options(quoted: Sequence[str]) -> str:
    """DuckDB's options of a CSV export. Cells under the `quoted` headers are always in quotes."""
    quoting = ", ".join(f'"{header}"' for header in quoted)
    return "format csv, header, delimiter ',', quote '\"', escape '\"', nullstr ''" + (
        f", force_quote ({quoting})" if quoted else ""
    )


@dataclass(frozen=True)
class RowSelection:
    """Some rows of a report, as a page shows them: an SQL condition `where` over `mart` with its parameters, the order, the
    columns, and the `words` of the filter. `link` is that of the page: it tells one selection from another. `query` selects
    the rows that stand in place of the mart's, with more columns.
    """

    where: str
    parameters: dict[str, Any]
    order_sql: str
    columns: tuple[MartColumn, ...]
    words: str
    link: str
    query: str | None = None


class ExportRefused(Exception):
    """The request cannot be exported. The message gives the reason."""


@dataclass(frozen=True)
class ReportQuery:
    """A report of the published build that is attached as `database`.

    `campaigns`: the campaigns to export; None exports all. `selection`: the rows to export, in place of `campaigns`.
    `build_is_masked`: whether the build itself has masked phone numbers, and their hashes beside them.
    """

    connection: duckdb.DuckDBPyConnection
    database: str
    report: str
    campaigns: list[str] | None
    build_is_masked: bool
    layout: Layout
    selection: RowSelection | None = None

    @property
    def _parameters(self) -> dict[str, Any]:
        return self.selection.parameters if self.selection else {}

    def columns(self) -> list[tuple[MartColumn, str]]:
        """The columns, each with its heading."""
        by_name = {column.name: column for column in published_columns(self.report, is_masked=self.build_is_masked)}
        names: Iterable[str] = CAMPAIGN_REPORT_COLUMNS if self.report == "campaign_metrics" else by_name
        columns = self.selection.columns if self.selection else [by_name[name] for name in names]
        return [(column, self.layout.heading(self.report, column)) for column in columns]

    def row_count(self) -> int:
        return int(fetch_value(self.connection, f"select count(*) {self._from_sql()}", self._parameters))

    def campaign_ids(self) -> list[str]:
        """The campaigns of the rows, sorted."""
        query = f"select distinct mart.campaign_id {self._from_sql()} order by all"
        return [row[0] for row in self.connection.execute(query, self._parameters).fetchall()]

    def execute(self) -> duckdb.DuckDBPyConnection:
        """The rows as values, in order."""
        cells = ", ".join(value_sql(column, self.layout) for column, _ in self.columns())
        return self.connection.execute(
            f"select {cells} {self._from_sql()} order by {self._order_sql()}", self._parameters
        )

    def copy_to_csv(self, file: Path) -> WrittenCsv:
        """Writes the rows to a CSV file."""
        statement = copy_to_csv_sql(self.columns(), self._from_sql(), self._order_sql(), self.layout)
        return write_blocks(file, csv_blocks(self.connection, statement, self._parameters, self.layout.start))

    def _from_sql(self) -> str:
        """The rows as `mart`: all, or those of the campaigns to export."""
        mart = f"{self.database}.{qualified(self.report)}"
        if self.selection:
            rows = f"({self.selection.query})" if self.selection.query else mart
            return f"from {rows} as mart {self.selection.where}"
        if self.campaigns is None:
            return f"from {mart} as mart"
        self.connection.execute(
            "create or replace temporary table campaigns_to_export as"
            " select nullif(unnest($campaigns::varchar[]), $no_campaign) as campaign_id",
            {"campaigns": self.campaigns, "no_campaign": NO_CAMPAIGN},
        )
        selection = (
            "semi join campaigns_to_export as selected on mart.campaign_id is not distinct from selected.campaign_id"
        )
        if not holds_rows(self.connection, self.database, MARTS[self.report].schema, self.report):
            return f"from {mart} as mart {selection}"
        # By row id: otherwise DuckDB reads every column of every row before it drops most rows.
        return f"from {mart} as mart where rowid in (select mart.rowid from {mart} as mart {selection})"

    def _order_sql(self) -> str:
        if self.selection:
            return self.selection.order_sql
        if not self.layout.is_raw and self.report in REPORT_ORDERS:
            order = REPORT_ORDERS[self.report]
            return ", ".join(f"mart.{name} {'desc' if descending else 'asc'} nulls last" for name, descending in order)
        # Qualified: a bare name would sort by the cell as written, not by the value.
        return ", ".join(f"mart.{name}" for name in published_key(self.report, is_masked=self.build_is_masked))
