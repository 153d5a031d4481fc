"""A campaign's clicks: by link, by the time since the message, and those that a program made.

Not here: clicks by hour or day (`reports.queries.campaign`), who clicked (`reports.queries.of_campaign.people`).
"""

from itertools import accumulate
from typing import NamedTuple

from models.enums import BotRule
from reports.database import INSIGHTS, Published, Row, Selection
from reports.plots import Chart, Line
from reports.queries.compare import steps_since_message, time_words
from reports.words import BOT_RULES


def links(campaign_id: str) -> Selection:
    """The links of the campaign, the most clicked first."""
    return Selection(
        "campaign_links",
        "where campaign_id = $campaign_id",
        {"campaign_id": campaign_id},
        (("clicks", True), ("link", False)),
    )


class Quality(NamedTuple):
    """The campaign's row of `campaign_click_quality`, and the clicks of programs by rule, in words."""

    row: Row
    rules: list[tuple[str, int]]


def click_quality(published: Published, campaign_id: str) -> Quality | None:
    """None without a click."""
    rows = published.rows(
        f"select * from {INSIGHTS}.campaign_click_quality where campaign_id = $campaign_id",
        {"campaign_id": campaign_id},
    )
    if not rows:
        return None
    counts = [(BOT_RULES[rule], rows[0][f"bot_clicks_{rule}"]) for rule in BotRule]
    return Quality(rows[0], [(words, number) for words, number in counts if number])


class Response(NamedTuple):
    """Clicks, orders and unsubscribes by the time since the message; `other` are those without one, or before it.

    `half` and `most`: the times within which half and nine tenths of the clicks came, in words; None if more came later.
    """

    chart: Chart
    other: Row
    half: str | None
    most: str | None


_LINES = (
    ("Clicks", "clicks", "clicks"),
    ("Direct orders", "direct", "direct_orders"),
    ("Unsubscribes", "hard_bounce", "unsubscribes"),
)


def response(published: Published, campaign_id: str) -> Response | None:
    """How soon contacts respond; None without any event. The lines of the chart are running totals."""
    rows = published.rows(
        f"select * from {INSIGHTS}.campaign_response where campaign_id = $campaign_id order by from_minutes nulls last",
        {"campaign_id": campaign_id},
    )
    if not rows:
        return None
    buckets, other = rows[:-1], rows[-1]
    starts = [row["from_minutes"] for row in buckets]
    ends = [*starts[1:], None]
    shares = [row["cumulative_click_share"] for row in buckets]
    lines = [
        Line(f"{label} so far", kind, "count", list(accumulate(row[column] for row in buckets)))
        for label, kind, column in _LINES
    ]
    if any(share is not None for share in shares):
        lines.append(Line("Share of clicks", "assisted", "rate", shares, on_right=True, is_dashed=True))
    chart = Chart(
        "response-curve",
        "Response by time since the message",
        "time since the message",
        *steps_since_message(starts),
        lines,
    )
    within = [(share, end) for share, end in zip(shares, ends, strict=True) if share is not None and end]
    half, most = (next((time_words(end) for share, end in within if share >= least), None) for least in (0.5, 0.9))
    return Response(chart, other, half, most)
