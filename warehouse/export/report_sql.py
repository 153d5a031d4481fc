"""The rows of a report as SQL over the published marts: columns, cells, selection and order.

In spreadsheet mode no text cell can be taken for a formula. The type of the column decides that, not the value.

Not here: writing files (`warehouse.export.exports`, `warehouse.export.xlsx`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from models.marts import MARTS, MartColumn, columns, published_columns, published_key, qualified
from warehouse.duckdb_tools import fetch_value, holds_rows, literal, masked_value
from warehouse.export.formula_cells import mark_sql

NO_CAMPAIGN = ""
"""The campaign id of rows without a campaign, in exports and the ledger. A real id has at least one character."""

CAMPAIGN_REPORT_COLUMNS = (
    "last_sent_at", "campaign_name", "click_to_delivered_rate", "conversion_rate", "direct_orders", "assisted_orders",
    "last_modified_by", "revenue", "assisted_revenue", "total_segments", "total_clicks", "total_delivered",
    "total_sent", "campaign_type", "unique_clickers", "unsubscribes", "campaign_id",
)  # fmt: skip
"""The columns of the campaign table in the order of the report. Their headers are the labels of the columns."""


def cell_sql(column: MartColumn, mode: str, *, masks_phone_numbers: bool = False) -> str:
    """The expression of a CSV cell over `mart`. `mode` is `spreadsheet` or `raw`."""
    value = value_sql(column, masks_phone_numbers=masks_phone_numbers)
    if column.sql_type == "timestamp":
        seconds = f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
        return f"if(microsecond({value}) % 1000000 = 0, {seconds}, strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    if column.sql_type == "varchar" and mode == "spreadsheet":
        return mark_sql(value)
    return value


def value_sql(column: MartColumn, *, masks_phone_numbers: bool) -> str:
    """The expression of a value over `mart`, with phone numbers masked if asked for."""
    value = f"mart.{column.name}"
    return masked_value(column.name, value) if masks_phone_numbers else value


def has_phone_numbers(report: str) -> bool:
    """Whether a report has a column with phone numbers, or with text that may contain one."""
    return any(masked_value(column.name, column.name) != column.name for column in columns(report))


def copy_to_csv_sql(
    columns: Sequence[tuple[MartColumn, str]],
    rows_sql: str,
    order_sql: str,
    file: Path | str,
    mode: str,
    *,
    masks_phone_numbers: bool,
) -> str:
    """The statement that writes a CSV. `rows_sql` gives the rows as `mart`; the order is by their values, not by the cells."""
    cells = ", ".join(
        f'{cell_sql(column, mode, masks_phone_numbers=masks_phone_numbers)} as "{header}"' for column, header in columns
    )
    texts = [header for column, header in columns if column.sql_type == "varchar" and mode == "spreadsheet"]
    return (
        f"copy (select {cells} {rows_sql} order by {order_sql}) to {literal(file)}"
        f" ({csv_options(texts)}, use_tmp_file false)"
    )


def csv_options(quoted: Sequence[str]) -> str:
    """DuckDB's options of a CSV export. Cells under the `quoted` headers are always in quotes."""
    quoting = ", ".join(f'"{header}"' for header in quoted)
    return "format csv, header, delimiter ',', quote '\"', escape '\"', nullstr ''" + (
        f", force_quote ({quoting})" if quoted else ""
    )


class ExportRefused(Exception):
    """The request cannot be exported. The message gives the reason."""


@dataclass(frozen=True)
class ReportQuery:
    """A report of the published build that is attached as `database`.

    `campaigns`: the campaigns to export; None exports all. `build_is_masked`: whether the build itself has masked
    phone numbers, and their hashes beside them. `masks_phone_numbers`: whether they are masked here.
    """

    connection: duckdb.DuckDBPyConnection
    database: str
    report: str
    campaigns: list[str] | None
    build_is_masked: bool
    masks_phone_numbers: bool

    def columns(self) -> list[tuple[MartColumn, str]]:
        """The columns, each with its header."""
        by_name = {column.name: column for column in published_columns(self.report, is_masked=self.build_is_masked)}
        if self.report == "campaign_metrics":
            return [(by_name[name], by_name[name].label or name) for name in CAMPAIGN_REPORT_COLUMNS]
        return [(column, name) for name, column in by_name.items()]

    def row_count(self) -> int:
        return int(fetch_value(self.connection, f"select count(*) {self._from_sql()}"))

    def execute(self) -> duckdb.DuckDBPyConnection:
        """The rows as values, in the order of the key."""
        cells = ", ".join(
            value_sql(column, masks_phone_numbers=self.masks_phone_numbers) for column, _ in self.columns()
        )
        return self.connection.execute(f"select {cells} {self._from_sql()} order by {self._order_sql()}")

    def copy_to_csv(self, file: Path, mode: str) -> int:
        """Writes the rows to a CSV file. Returns their number."""
        rows, order = self._from_sql(), self._order_sql()
        statement = copy_to_csv_sql(
            self.columns(), rows, order, file, mode, masks_phone_numbers=self.masks_phone_numbers
        )
        return int(fetch_value(self.connection, statement))

    def _from_sql(self) -> str:
        """The rows as `mart`: all, or those of the campaigns to export."""
        mart = f"{self.database}.{qualified(self.report)}"
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
        # Qualified: a bare name would sort by the cell as written, not by the value.
        return ", ".join(f"mart.{name}" for name in published_key(self.report, is_masked=self.build_is_masked))
