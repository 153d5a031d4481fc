"""Clicks in the oracle: the message of a click, its link, and the rule by which it is a bot's.

Not here: the tables that count clicks (`insights_clicks`).
"""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from tests.oracle.references import is_agent_of_bot
from tests.oracle.rules import Settings, greatest, grouped
from tests.oracle.values import ascii_lower

MICROSECOND = timedelta(microseconds=1)
SWEEP = timedelta(microseconds=1_000_000)


def milliseconds(duration: timedelta) -> int:
    """Whole milliseconds, rounded toward minus infinity."""
    return duration // MICROSECOND // 1000


def link_of(url: str | None) -> str | None:
    if url is None:
        return None
    for end in "?#":
        url = url.partition(end)[0]
    # Silent: several `://`. The first counts.
    scheme_end = url.find("://")
    host_end = url.find("/", scheme_end + 3 if scheme_end >= 0 else 0)
    if host_end < 0:
        host_end = len(url)
    return ascii_lower(url[:host_end]) + url[host_end:]


def message_of_click(click: dict, messages: list[dict]) -> dict | None:
    """The message that a click answers; `messages` are those of its campaign to its contact."""
    for message in messages:
        if message["message_id"] == click["message_id"]:
            return message
    before = [message for message in messages if message["sent_at"] <= click["clicked_at"]]
    return greatest(before, "sent_at", "message_id") if before else None


def classified(clicks: list[dict], sent: list[dict], settings: Settings) -> list[dict]:
    """All clicks, each with its `message`, `after` (since the message), `link` and `rule` (None: a human's)."""
    messages = grouped(sent, "campaign_id", "contact_id")
    linked = [click | {"link": link_of(click["url"])} for click in clicks]
    swept = _swept(linked)
    at_least = 1000 * Decimal(settings.bot_click_seconds)
    result = []
    for click in linked:
        message = message_of_click(click, messages.get((click["campaign_id"], click["contact_id"]), []))
        after = click["clicked_at"] - message["sent_at"] if message else None
        if is_agent_of_bot(click["user_agent"]):
            rule = "user_agent"
        elif after is not None and milliseconds(after) < at_least:
            rule = "too_fast"
        elif click["click_id"] in swept:
            rule = "sweep"
        else:
            rule = None
        result.append(click | {"message": message, "after": after, "rule": rule})
    return result


def _swept(clicks: list[dict]) -> set[str]:
    """The ids of the clicks that have another of their contact and campaign, on another link, within a second."""
    swept = set()
    with_link = [click for click in clicks if click["link"] is not None]
    for together in grouped(with_link, "campaign_id", "contact_id").values():
        in_second = defaultdict(list)
        for click in together:
            in_second[click["clicked_at"].replace(microsecond=0)].append(click)
        for second, within in in_second.items():
            near = [
                other for distance in (-1, 0, 1) for other in in_second.get(second + timedelta(seconds=distance), [])
            ]
            for click in within:
                if any(
                    other["link"] != click["link"] and abs(other["clicked_at"] - click["clicked_at"]) <= SWEEP
                    for other in near
                ):
                    swept.add(click["click_id"])
    return swept
