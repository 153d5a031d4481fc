"""Explains an order: its revenue, and the campaigns that led to it.

Not here: how orders are attributed (`dbt_project/models/intermediate/int_orders_attributed.sql`).
"""

from typing import Any

from models.enums import Log
from warehouse.duckdb_tools import masked_id
from warehouse.explain.explanation import Queries, came_in

_IS_PUBLISHED_ORDER = (
    f"order_id = $key or (starts_with(order_id, {masked_id('$key::varchar')} || '~')"
    " and (contact_id, ordered_at) in (select (contact_id, ordered_at) from orders))"
)
"""In a build with masked numbers, the one in the id is masked, and a hash follows."""


def explain_order(queries: Queries) -> bool:
    explanation = queries.explanation
    columns = "contact_id, ordered_at, total, refunded_amount, currency, status, updated_at"
    if not queries.add_rows_of_log(Log.ORDERS, columns):
        return False
    queries.add_rules(queries.kept_row(Log.ORDERS))
    orders = queries.records("from orders")
    if not orders:
        explanation.conclusion = {"status": "cancelled", "revenue": None, **_credited_campaigns([])}
        queries.add_rules("The order is cancelled: it counts in no figure")
        return True
    (order,) = orders
    credited = queries.records("from credited_clicks")
    queries.add_rule_about_bots()
    explanation.conclusion = {"status": order["status"], "revenue": order["revenue"], **_credited_campaigns(credited)}
    hours = queries.settings.conversion_window_hours
    queries.add_rules(
        _revenue_rule(order, queries.settings.reporting_currency),
        f"The campaign of the contact's last click in the {hours} hours before the order is direct (of several clicks at one"
        " moment, the one with the greatest click_id); every other campaign clicked in that window is assisted"
        if credited
        else f"The contact clicked on no campaign in the {hours} hours before the order: no campaign is credited",
    )
    clicks_in_window = (
        "(select count(*) from clicks where clicks.contact_id = credited.contact_id"
        " and clicks.campaign_id = credited.campaign_id and clicks.clicked_at between"
        f" credited.ordered_at - to_hours({hours}) and credited.ordered_at) as clicks"
    )
    queries.add_list(
        "Campaigns credited, each by the contact's last click on it",
        f"campaign_id, attribution, clicked_at, click_id, {clicks_in_window}, {came_in(Log.CLICKS)}",
        "from credited_clicks as credited order by attribution = 'assisted', clicked_at desc, campaign_id",
    )
    if queries.has_published:
        published = queries.records(f"from published.marts.attributed_orders where {_IS_PUBLISHED_ORDER}")
        explanation.published = _credited_campaigns(published)
        if published:
            explanation.published["revenue"] = published[0]["revenue"]
    return True


def _revenue_rule(order: dict[str, Any], reporting_currency: str) -> str:
    revenue = f"Revenue: {order['total']} - {order['refunded_amount']} {order['currency']}"
    if order["currency"] == reporting_currency:
        return f"{revenue}, the reporting currency, rounded half away from zero"
    if order["exchange_rate"] is None:
        return (
            f"{revenue}: no rate of {order['currency']} to {reporting_currency} on or before"
            f" {order['ordered_at']:%Y-%m-%d}; the order counts, its revenue does not (unconverted_orders)"
        )
    if order["revenue"] is None:
        return (
            f"{revenue}, times {order['exchange_rate']}, the rate of {order['exchange_rate_date']} ({order['rate_file']},"
            f" row {order['rate_row']}), is 10^16 or more; the order counts, its revenue does not (unconverted_orders)"
        )
    return (
        f"{revenue}, times {order['exchange_rate']}, the rate of {order['exchange_rate_date']} ({order['rate_file']},"
        f" row {order['rate_row']}), rounded half away from zero"
    )


def _credited_campaigns(credited: list[dict[str, Any]]) -> dict[str, Any]:
    campaigns = {
        kind: sorted(row["campaign_id"] for row in credited if row["attribution"] == kind)
        for kind in ("direct", "assisted")
    }
    direct_campaign = campaigns["direct"][0] if campaigns["direct"] else None
    return {"direct_campaign": direct_campaign, "assisted_campaigns": campaigns["assisted"]}
