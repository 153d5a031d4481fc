"""Links: the menu of all pages, writing links, and reading their parameters. An invalid value in a link is ignored.

Not here: which parameters a page has (`reports.queries`).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo


def link(path: str, parameters: Iterable[tuple[str, Any]]) -> str:
    """A link with those parameters that have a value."""
    encoded = urlencode([(name, value) for name, value in parameters if value])
    if not encoded:
        return path
    return f"{path}&{encoded}" if "?" in path else f"{path}?{encoded}"


def one_of(values: Iterable[str], text: str | None, default: str) -> str:
    """The value in a link, if it is one of these."""
    return text if text is not None and text in values else default


def page_number(text: str) -> int:
    """The page in a link; the first for any other text."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 9 else 1


def campaign_path(campaign_id: str) -> str:
    """The path of a campaign's page. An id of dots is in the query string: browsers resolve a path of dots."""
    if set(campaign_id) <= {"."}:
        return f"/campaigns/?{urlencode({'id': campaign_id})}"
    return f"/campaigns/{quote(campaign_id, safe='')}"


def contact_path(contact_id: str) -> str:
    """The path of the history of a contact."""
    return f"/people/contact?{urlencode({'id': contact_id})}"


def day(text: str) -> date | None:
    """The day in a link, as YYYY-MM-DD."""
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        return None
    return parsed if 1990 <= parsed.year <= 2099 else None


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Midnight of a day in `zone`, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)


# --- the menu


class Entry(NamedTuple):
    """A link of the menu. `section` marks it on pages below it, whose templates set `section`."""

    label: str
    path: str
    section: str = ""


class Group(NamedTuple):
    """Entries that open under one word."""

    label: str
    entries: tuple[Entry, ...]


MENU: tuple[Entry | Group, ...] = (
    Entry("Reports", "/", "reports"),
    Group(
        "Delivery",
        (
            Entry("Failed messages", "/delivery/failures"),
            Entry("Routes", "/delivery/routes"),
            Entry("Incidents", "/delivery/incidents"),
            Entry("Skipped messages", "/delivery/skipped"),
        ),
    ),
    Group(
        "People",
        (
            Entry("Find a contact", "/people/contact"),
            Entry("Unsubscribes", "/people/unsubscribes"),
            Entry("Suppressed numbers", "/people/suppressed"),
            Entry("Messages after an opt-out", "/people/after-opt-out"),
            Entry("Contact pressure", "/people/pressure"),
        ),
    ),
    Group(
        "Links & times",
        (
            Entry("Links", "/clicks/links"),
            Entry("Send times", "/clicks/send-times"),
            Entry("Clicks of bots", "/clicks/bots"),
        ),
    ),
    Entry("Exports", "/exports", "exports"),
    Entry("Glossary", "/glossary"),
)

ENTRIES = tuple(entry for item in MENU for entry in (item.entries if isinstance(item, Group) else (item,)))
"""All entries of the menu, in order."""


def is_current(entry: Entry, path: str, section: str) -> bool:
    """Whether a page, with its path and its section, is the one that an entry leads to, or lies below it."""
    return entry.path == path or bool(section and entry.section == section)
