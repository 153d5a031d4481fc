"""Insights of the oracle over clicks: their quality, links, and the time that contacts take to respond."""

from collections import defaultdict
from datetime import timedelta

from tests.oracle.clicks import milliseconds
from tests.oracle.insight_facts import InsightFacts, ratio, total_revenue
from tests.oracle.rules import grouped, least

RULES = ("user_agent", "too_fast", "sweep")
BUCKETS = (0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200, 10080)


def _contacts(clicks: list[dict]) -> int:
    return len({click["contact_id"] for click in clicks})


def _human(clicks: list[dict]) -> list[dict]:
    return [click for click in clicks if click["rule"] is None]


def click_quality(facts: InsightFacts) -> list[dict]:
    rows = []
    for click in facts.all_clicks:
        message = click["message"]
        rows.append(
            {column: click[column] for column in ("click_id", "campaign_id", "contact_id", "clicked_at", "rule")}
            | {
                "message_id": message and message["message_id"],
                "after_ms": None if message is None else milliseconds(click["after"]),
                "is_bot": click["rule"] is not None,
                "is_before_delivery": message is not None
                and message["status"] == "delivered"
                and click["clicked_at"] < message["status_at"],
            }
        )
    return rows


def campaign_click_quality(facts: InsightFacts) -> list[dict]:
    delivered = {row["campaign_id"]: row["total_delivered"] for row in facts.campaign_metrics()}
    from_bots = [click["campaign_id"] for _, click in facts.direct_over_all_clicks() if click["rule"] is not None]
    rows = []
    for (campaign_id,), clicks in grouped(facts.all_clicks, "campaign_id").items():
        human = _human(clicks)
        rows.append(
            {
                "campaign_id": campaign_id,
                "clicks": len(clicks),
                "bot_clicks": len(clicks) - len(human),
                "human_clicks": len(human),
                "unique_clickers": _contacts(clicks),
                "human_unique_clickers": _contacts(human),
                "human_click_to_delivered_rate": ratio(_contacts(human), delivered.get(campaign_id)),
                "direct_orders_from_bots": from_bots.count(campaign_id),
            }
            | {f"bot_clicks_{rule}": sum(click["rule"] == rule for click in clicks) for rule in RULES}
        )
    return rows


def campaign_links(facts: InsightFacts) -> list[dict]:
    rows = []
    for (campaign_id, link), clicks in grouped(facts.clicks, "campaign_id", "link").items():
        orders = [order for order, click in facts.direct_by_campaign[campaign_id] if click["link"] == link]
        rows.append(
            {
                "campaign_id": campaign_id,
                "link": link,
                "clicks": len(clicks),
                "human_clicks": len(_human(clicks)),
                "unique_clickers": _contacts(clicks),
                "share_of_clicks": ratio(len(clicks), len(facts.clicks_by_campaign[(campaign_id,)])),
                "first_clicked_at": min(click["clicked_at"] for click in clicks),
                "last_clicked_at": max(click["clicked_at"] for click in clicks),
                "direct_orders": len(orders),
                "revenue": total_revenue(orders),
            }
        )
    return rows


def bucket_of(elapsed: timedelta | None) -> int | None:
    """The greatest bound, in minutes, that is not above the time elapsed; None if that is unknown or negative."""
    if elapsed is None or elapsed < timedelta():
        return None
    return max(bound for bound in BUCKETS if timedelta(minutes=bound) <= elapsed)


def campaign_response(facts: InsightFacts) -> list[dict]:
    unsubscribes = defaultdict(list)
    for unsubscribe, message in facts.unsubscribed:
        unsubscribes[message["campaign_id"]].append(bucket_of(unsubscribe["unsubscribed_at"] - message["sent_at"]))
    campaigns = (
        {campaign_id for (campaign_id,) in facts.clicks_by_campaign}
        | set(unsubscribes)
        | {campaign_id for campaign_id, orders in facts.direct_by_campaign.items() if orders}
    )
    return [row for campaign_id in campaigns for row in _response_of(facts, campaign_id, unsubscribes[campaign_id])]


def _response_of(facts: InsightFacts, campaign_id: str, unsubscribes: list[int | None]) -> list[dict]:
    clicks = facts.clicks_by_campaign.get((campaign_id,), [])
    first = [least(of_contact, "clicked_at", "click_id") for of_contact in grouped(clicks, "contact_id").values()]
    orders = defaultdict(list)
    for order, click in facts.direct_by_campaign[campaign_id]:
        message = click["message"]
        orders[bucket_of(message and order["ordered_at"] - message["sent_at"])].append(order)
    rows, cumulative = [], 0
    for bound in (*BUCKETS, None):
        in_bucket = [click for click in clicks if bucket_of(click["after"]) == bound]
        cumulative += len(in_bucket)
        rows.append(
            {
                "campaign_id": campaign_id,
                "from_minutes": bound,
                "clicks": len(in_bucket),
                "human_clicks": len(_human(in_bucket)),
                "first_clicks": sum(bucket_of(click["after"]) == bound for click in first),
                "unsubscribes": unsubscribes.count(bound),
                "direct_orders": len(orders[bound]),
                "revenue": total_revenue(orders[bound]),
                "cumulative_click_share": ratio(cumulative, len(clicks)),
            }
        )
    return rows
