"""Explains an order: its revenue, and the campaigns that led to it.

Not here: how orders are attributed (`dbt_project/models/intermediate/int_orders_attributed.sql`).
"""

from typing import Any

from models.enums import Log
from warehouse.explain.evidence import CAME_IN, Evidence
from warehouse.explain.explanation import Explanation

_ROW_COLUMNS = (
    "if(row_rank = 1, 'kept', '') as kept, "
    f"contact_id, ordered_at, total, refunded_amount, currency, status, updated_at, {CAME_IN}"
)


def explain_order(evidence: Evidence, explanation: Explanation) -> bool:
    """Fills an explanation; false if no row of the lake has the id."""
    if not evidence.add_list(
        explanation,
        "Rows of the orders log",
        "from orders_rows order by row_rank",
        _ROW_COLUMNS,
    ):
        return False
    explanation.rules.append(evidence.kept_row(Log.ORDERS))
    orders = evidence.records("from orders")
    if not orders:
        explanation.conclusion = {
            "status": "cancelled",
            "revenue": None,
            "direct_campaign": None,
            "assisted_campaigns": [],
        }
        explanation.rules.append("The order is cancelled: it counts in no figure")
        return True
    (order,) = orders
    explanation.rules.append(_revenue_rule(evidence, order))
    credited = evidence.records("from credited_clicks")
    explanation.conclusion = {
        "status": order["status"],
        "revenue": order["revenue"],
        **_credited_campaigns(credited),
    }
    hours = evidence.settings.conversion_window_hours
    explanation.rules.append(
        f"The campaign of the contact's last click in the {hours} hours before the order is direct (of several clicks at one"
        " moment, the one with the greatest click_id); every other campaign clicked in that window is assisted"
        if credited
        else f"The contact clicked on no campaign in the {hours} hours before the order: no campaign is credited"
    )
    clicks_in_window = (
        "(select count(*) from clicks where clicks.contact_id = credited.contact_id"
        " and clicks.campaign_id = credited.campaign_id and clicks.clicked_at between"
        f" credited.ordered_at - to_hours({hours}) and credited.ordered_at) as clicks"
    )
    evidence.add_list(
        explanation,
        "Campaigns credited, each by the contact's last click on it",
        "from credited_clicks as credited order by attribution = 'assisted', clicked_at desc, campaign_id",
        f"campaign_id, attribution, clicked_at, click_id, {clicks_in_window}, {CAME_IN}",
    )
    if evidence.has_published:
        published = evidence.records(
            "from published.marts.attributed_orders where order_id = $key", explanation.parameters
        )
        explanation.published = _credited_campaigns(published)
        if published:
            explanation.published["revenue"] = published[0]["revenue"]
    return True


def _revenue_rule(evidence: Evidence, order: dict[str, Any]) -> str:
    revenue = f"Revenue: {order['total']} - {order['refunded_amount']} {order['currency']}"
    reporting_currency = evidence.settings.reporting_currency
    if order["currency"] == reporting_currency:
        return f"{revenue}, the reporting currency"
    if order["exchange_rate"] is None:
        return (
            f"{revenue}: no rate of {order['currency']} to {reporting_currency} on or before"
            f" {order['ordered_at']:%Y-%m-%d}; the order counts, its revenue does not (unconverted_orders)"
        )
    return (
        f"{revenue}, times {order['exchange_rate']}, the rate of {order['exchange_rate_date']} ({order['rate_file']},"
        f" row {order['rate_row']}), rounded half away from zero"
    )


def _credited_campaigns(credited: list[dict[str, Any]]) -> dict[str, Any]:
    """The direct campaign and the assisted campaigns, given rows with `campaign_id` and `attribution`."""
    direct = [row["campaign_id"] for row in credited if row["attribution"] == "direct"]
    return {
        "direct_campaign": direct[0] if direct else None,
        "assisted_campaigns": sorted(row["campaign_id"] for row in credited if row["attribution"] == "assisted"),
    }
