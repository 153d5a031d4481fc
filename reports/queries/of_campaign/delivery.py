"""How a campaign's messages were delivered: why some failed, on which routes, and how fast.

Not here: the contacts by status (`reports.queries.of_campaign.people`), routes of all campaigns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.enums import FailureReason
from reports.database import INSIGHTS, Published, Row
from reports.words import FAILURE_REASONS

NO_ADVICE = "Ask your provider what the code means."


@dataclass(frozen=True)
class Failure:
    """Why messages failed: the reason in words, the advice with its number of messages, and the rows of the mart."""

    reason: str
    messages: int
    share: float
    advice: list[tuple[str, int]]
    permanent: int
    rows: list[Row]


def failed_messages(published: Published, campaign_id: str) -> list[Row]:
    """The campaign's rows of `delivery_failures`, the most frequent first."""
    return published.rows(
        f"select * from {INSIGHTS}.delivery_failures where campaign_id = $campaign_id"
        " order by messages desc, provider, provider_status, error_code",
        {"campaign_id": campaign_id},
    )


def by_reason(failures: Iterable[Row]) -> list[Failure]:
    """Rows of `delivery_failures` grouped by reason, the most frequent first. Shares are of these rows' messages."""
    groups: dict[str, list[Row]] = {}
    for row in failures:
        groups.setdefault(row["reason"], []).append(row)
    whole = sum(row["messages"] for rows in groups.values() for row in rows)
    reasons = []
    for reason, rows in groups.items():
        advice: dict[str, int] = {}
        for row in rows:
            text = row["advice"] or NO_ADVICE
            advice[text] = advice.get(text, 0) + row["messages"]
        messages = sum(row["messages"] for row in rows)
        reasons.append(
            Failure(
                FAILURE_REASONS[FailureReason(reason)],
                messages,
                messages / whole,
                sorted(advice.items(), key=lambda item: (-item[1], item[0])),
                sum(row["messages"] for row in rows if row["is_permanent"]),
                rows,
            )
        )
    return sorted(reasons, key=lambda failure: (-failure.messages, failure.reason))


@dataclass(frozen=True)
class Route:
    """A country and provider: the row of the mart, and how many timed messages arrived in each class of time."""

    row: Row
    times: list[int]


TIMES = ("within 10 s", "10 s to 1 min", "1 min to 1 h", "later")
"""The classes of the time from sending to delivery."""

_SUMS = ("messages", "delivered", "timed", "clock_skewed", "within_10_s", "within_60_s", "within_1_h")


def routes(published: Published, campaign_id: str) -> list[Route]:
    """The campaign's routes, the busiest first."""
    rows = published.rows(
        f"select * from {INSIGHTS}.delivery_routes where campaign_id = $campaign_id"
        " order by messages desc, country nulls last, provider nulls last",
        {"campaign_id": campaign_id},
    )
    return [Route(row, _times(row)) for row in rows]


def all_routes(routes: Sequence[Route]) -> Route:
    """The sum of routes. It has no percentiles, which do not add up."""
    sums = {name: sum(route.row[name] for route in routes) for name in _SUMS}
    return Route({**sums, "delivery_rate": sums["delivered"] / sums["messages"]}, _times(sums))


def _times(row: Row) -> list[int]:
    bounds = [0, row["within_10_s"], row["within_60_s"], row["within_1_h"], row["timed"]]
    return [after - before for before, after in pairwise(bounds)]
