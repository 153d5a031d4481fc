"""Sentences over a listing: what its figures leave out, and what of them other pages leave out.

Not here: the sentence about orders that are not in revenue (`reports.queries.notices`).
"""

from reports.database import INSIGHTS, MARTS, Published
from reports.formatting import count
from reports.queries.listings.listing import ListingQuery, Reader, from_sql, where_sql
from reports.queries.notices import unconverted


def of_clicks(published: Published, query: ListingQuery, reader: Reader) -> list[str]:
    """Of links or bots by campaign: clicks and orders of campaigns that the other pages do not have."""
    where, parameters = where_sql(query, reader)
    orders_sql = "direct_orders" if any(column.name == "direct_orders" for column in query.listing.columns) else "0"
    (row,) = published.rows(
        f"select coalesce(sum(clicks), 0)::bigint as clicks, coalesce(sum({orders_sql}), 0)::bigint as orders,"
        f" count(distinct campaign_id) as campaigns from (select mart.* {from_sql(query.listing)} {where})"
        f" where campaign_id not in (select campaign_id from {MARTS}.campaign_metrics)",
        parameters,
    )
    if not row["campaigns"]:
        return []
    orders = f" and {counted(row['orders'], 'direct order')}" if row["orders"] else ""
    are = "is" if row["clicks"] == 1 and not row["orders"] else "are"
    return [
        f"{counted(row['clicks'], 'click')}{orders} {are} of {counted(row['campaigns'], 'campaign')} without a sent"
        " message. Pages of campaigns do not count them, so their totals are lower."
    ]


def of_links(published: Published, query: ListingQuery, reader: Reader) -> list[str]:
    """Orders of the campaigns shown that are not in revenue, and what `of_clicks` says."""
    where, parameters = where_sql(query, reader)
    condition = f"orders.campaign_id in (select campaign_id {from_sql(query.listing)} {where})"
    orders = unconverted(published, condition, parameters)
    before = "Over all links of these campaigns: " if query.chosen or query.search else ""
    return [*([before + orders.sentence] if orders else []), *of_clicks(published, query, reader)]


def of_pressure(published: Published, query: ListingQuery, reader: Reader) -> list[str]:
    """Orders that followed a message of the listing and are not in revenue."""
    condition = (
        f"orders.click_id in (select click_id from {INSIGHTS}.click_quality"
        " where (clicked_at - to_milliseconds(after_ms))::date < ($data_until::timestamp - interval 72 hours)::date)"
    )
    parameters = {"data_until": published.info["data_until"]}
    if campaign_type := query.chosen.get("type"):
        condition += (
            " and coalesce((select any_value(campaign_type) from"
            f" {MARTS}.campaigns as campaigns where campaigns.campaign_id = orders.campaign_id), 'Unknown') = $type"
        )
        parameters["type"] = campaign_type
    orders = unconverted(published, condition, parameters)
    return [orders.sentence] if orders else []


def of_unsubscribes(published: Published, query: ListingQuery, reader: Reader) -> list[str]:
    where, parameters = where_sql(query, reader)
    (row,) = published.rows(
        f"select count(*) filter (campaign_id is null) as none {from_sql(query.listing)} {where}", parameters
    )
    if not row["none"]:
        return []
    have, counts = ("has", "counts it") if row["none"] == 1 else ("have", "counts them")
    return [f"{counted(row['none'], 'unsubscribe')} {have} no campaign, so no unsubscribe rate {counts}."]


def counted(number: int, noun: str) -> str:
    """Such as: 1 click, 2 clicks."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
