"""Says why orders of a build have no revenue in the reporting currency, and what to do.

Not here: how orders are converted (`dbt_project/models/intermediate/int_orders_converted.sql`).
"""

import duckdb

from models.enums import UnconvertedReason
from models.marts import SCHEMA
from models.masking import printable
from warehouse.config import DataPaths, Settings
from warehouse.lake.origins import origin_of_order

MAX_ORDERS = 3
MAX_CURRENCIES = 5


def describe_unconverted(
    settings: Settings, paths: DataPaths, connection: duckdb.DuckDBPyConnection, database: str
) -> list[str]:
    """A line for the orders without an exchange rate, and one for each order whose revenue does not fit, up to three.

    `database`: the attached published file, or the candidate.
    """
    table = f"{database}.{SCHEMA}.unconverted_orders"
    if not connection.execute(f"select 1 from {table} limit 1").fetchone():
        return []
    columns = connection.execute(f"select column_name from (describe {table})").fetchall()
    # A build of 0.3 that was rolled back to lists orders without a rate only.
    reason = "reason" if ("reason",) in columns else f"'{UnconvertedReason.NO_EXCHANGE_RATE}'"
    source = f"(select *, {reason} as why from {table})"
    # With a parameter, DuckDB would import pandas: a quarter of the time of `sendmart status`.
    by_currency = connection.execute(
        f"select currency, count(*) from {source} where why = '{UnconvertedReason.NO_EXCHANGE_RATE}'"
        " group by all order by 2 desc, 1"
    ).fetchall()
    too_large = connection.execute(
        f"select order_id, currency from {source} where why = '{UnconvertedReason.REVENUE_TOO_LARGE}' order by order_id"
    ).fetchall()
    origins = [origin_of_order(connection, paths, order_id) for order_id, _ in too_large[:MAX_ORDERS]]
    lines = [_without_rate(by_currency, settings.reporting_currency)] if by_currency else []
    for (order_id, currency), origin in zip(too_large, origins, strict=False):
        lines.append(
            f"Not converted: order {printable(order_id, '?')} ({printable(origin, '?')}): its revenue is 10^16"
            f" {settings.reporting_currency} or more. Correct its total, or the rate of {currency}, and drop the file again"
        )
    if len(too_large) > MAX_ORDERS:
        lines.append(f"Not converted: {len(too_large) - MAX_ORDERS:,} more such orders, see marts.unconverted_orders")
    return lines


def _without_rate(by_currency: list[tuple[str, int]], reporting_currency: str) -> str:
    orders = sum(count for _, count in by_currency)
    rates = [f"{currency}→{reporting_currency}" for currency, _ in by_currency[:MAX_CURRENCIES]]
    more = ", …" if len(by_currency) > MAX_CURRENCIES else ""
    return (
        f"Not converted: {orders:,} {'order' if orders == 1 else 'orders'}, no rate {', '.join(rates)}{more} on or before their"
        f" days. exchange_rates must have rows of these currencies with base_currency {reporting_currency}"
        " (or none); see marts.unconverted_orders"
    )
