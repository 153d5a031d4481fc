"""The menu in the head of every page: its entries in order, some of them in groups.

Not here: its HTML (`templates/base.html`), the routes (`reports.pages`).
"""

from typing import NamedTuple


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
    Entry("Exports", "/exports", "exports"),
)


def is_current(entry: Entry, path: str, section: str) -> bool:
    """Whether a page, with its path and its section, is the one that an entry leads to, or lies below it."""
    return entry.path == path or bool(section and entry.section == section)
