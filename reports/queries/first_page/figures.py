"""The figures of a period, computed from its counts, and how they change.

Not here: which period, and where its counts come from (`reports.queries.first_page.overview`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.formatting import figure as formatted
from reports.plots import Value

Counts = Mapping[str, Any]
"""The sums of a day or of days, by the names of `NO_COUNTS`."""

DAILY = ("messages", "delivered", "cost", "unsubscribes", "direct_orders", "revenue")
OF_CAMPAIGNS = ("campaigns", "clickers", "human_clickers", "campaign_delivered", "campaign_orders", "campaign_base")
NO_COUNTS: Counts = dict.fromkeys((*DAILY, *OF_CAMPAIGNS), 0)


@dataclass(frozen=True)
class Figure:
    """A figure of a period. `value` computes it from the counts: None where there is nothing to divide by."""

    name: str
    label: str
    unit: str
    meaning: str
    kind: str
    value: Callable[[Counts], Value]
    better: str = "up"
    """The direction that is welcome: up, down, or none."""


def _rate(part: str, whole: str, times: int = 1) -> Callable[[Counts], Value]:
    return lambda counts: times * float(counts[part]) / float(counts[whole]) if counts[whole] else None


_FIGURES = (
    Figure("revenue", "Revenue", "money", "Revenue of direct orders, less refunds.", "series-1", lambda c: c["revenue"]),
    Figure(
        "messages", "Messages", "count", "Messages that were sent, not skipped.", "series-2", lambda c: c["messages"],
        better="none",
    ),
    Figure(
        "delivery_rate", "Delivery rate", "rate",
        "Delivered messages ÷ sent messages. Counted on the day of the receipt, a message sent before midnight may be"
        " delivered on the next day.",
        "delivered", _rate("delivered", "messages"),
    ),
    Figure(
        "click_rate", "Click-to-delivered rate", "rate",
        "Contacts who clicked ÷ delivered messages, of the campaigns last sent in the period.",
        "clicks", _rate("clickers", "campaign_delivered"),
    ),
    Figure(
        "human_click_rate", "Click-to-delivered rate, people", "rate",
        "The same for contacts with a click that is not a bot's: no known bot, not too fast, not several links at once.",
        "series-5", _rate("human_clickers", "campaign_delivered"),
    ),
    Figure(
        "conversion_rate", "Conversion rate", "rate", "Direct orders of the campaigns last sent in the period ÷ ",
        "series-3", _rate("campaign_orders", "campaign_base"),
    ),
    Figure(
        "revenue_per_message", "Revenue per message", "amount", "Revenue ÷ sent messages.",
        "series-1", _rate("revenue", "messages"),
    ),
    Figure(
        "cost", "Cost", "money",
        "Cost of the messages that have one in the sends log. Nothing is shown where none has.",
        "hard_bounce", lambda c: c["cost"] or None, better="none",
    ),
    Figure(
        "roi", "ROI", "rate", "What came in beyond the cost ÷ cost: 200 % means that each 1.00 spent brought in 3.00.",
        "series-4", lambda c: float((c["revenue"] - c["cost"]) / c["cost"]) if c["cost"] else None,
    ),
    Figure(
        "unsubscribe_rate", "Unsubscribes per 1,000 delivered", "per_thousand",
        "Unsubscribes ÷ delivered messages, per 1,000. An unsubscribe belongs to the campaign whose message the contact got"
        " last before it.",
        "soft_bounce", _rate("unsubscribes", "delivered", 1000), better="down",
    ),
)  # fmt: skip

FIGURES = {figure.name: figure for figure in _FIGURES}

BASES = {
    "unique_clickers": "contacts who clicked",
    "total_delivered": "delivered messages",
    "total_sent": "sent messages",
}
"""The words of `SENDMART_CONVERSION_RATE_DENOMINATOR`."""


@dataclass(frozen=True)
class Change:
    """How a figure differs from before. `direction` is up, down or same; `text` is the size without a sign, empty where it was 0
    before; `before` is its value then."""

    direction: str
    text: str
    before: str


def change(unit: str, value: Value, before: Value) -> Change | None:
    """The change of a figure, in per cent; of a rate, in percentage points. None without a value before."""
    if value is None or before is None:
        return None
    difference = float(value) - float(before)
    if unit == "rate":
        size, text = abs(difference), f"{abs(difference) * 100:,.1f} points"
    else:
        size = abs(difference) / abs(float(before)) if before else float(difference != 0)
        text = f"{size:,.1%}".replace("%", "\N{NO-BREAK SPACE}%") if before else ""
    # What is shown as 0.0 is no change.
    direction = "same" if size < 0.0005 else "up" if difference > 0 else "down"
    return Change(direction, text, formatted(before, unit))
