"""Orders that are not in revenue."""

import duckdb

from reports.database import Published
from reports.queries.notices import by_campaign, unconverted


def test_an_order_that_was_paid_back_lacks_nothing() -> None:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as published; create schema published.marts; use published.marts")
        connection.execute(
            "create table attributed_orders as select order_id, campaign_id, 'direct' as attribution, null as revenue"
            " from (values ('kept', 'a'), ('paid back', 'a'), ('in part', 'b'), ('free', 'c')) as orders (order_id, campaign_id)"
        )
        connection.execute(
            "create table unconverted_orders as select order_id, 'CHF' as currency, 'no_exchange_rate' as reason,"
            " total::decimal(18, 4) as total, refunded::decimal(18, 4) as refunded_amount"
            " from (values ('kept', 9, 0), ('paid back', 9, 9), ('in part', 9, 4), ('free', 0, 0)) as orders"
            " (order_id, total, refunded)"
        )
        found = unconverted(Published(connection), "true", {})
        assert found is not None
        assert found.sentence == "2 orders (CHF 14.00) are not in revenue: no exchange rate."
        assert {
            campaign: orders.orders for campaign, orders in by_campaign(Published(connection), "true", {}).items()
        } == {
            "a": 1,
            "b": 1,
        }
