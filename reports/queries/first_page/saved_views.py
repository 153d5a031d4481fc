"""What a browser remembers, in cookies: the columns that a person chose, named views of the table, and the last table seen.

Only forms of these pages change the first two; a link never does. A cookie is read like a link: what is not valid is ignored.

Not here: the views that everybody has (`reports.queries.first_page.table_columns`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from reports.queries.campaign_table import TableQuery

COLUMNS_COOKIE, VIEWS_COOKIE, TABLE_COOKIE = "columns", "views", "table"

MOST_VIEWS, LONGEST_NAME, LONGEST_COOKIE = 12, 40, 3500
"""Browsers keep 4,096 bytes of a cookie."""


class SavedView(NamedTuple):
    """A named query of the table. Its period is that of the link it is saved from."""

    name: str
    query: TableQuery

    @property
    def link(self) -> str:
        return self.query.link()


def query_of(text: str) -> TableQuery:
    """The query of the part of a link after its question mark."""
    values = parse_qs(text)
    return TableQuery.of({name: found[0] for name, found in values.items()}, values.get("columns", []))


def remembered_link(cookies: Mapping[str, str]) -> str | None:
    """The link of the table with the columns that this browser remembers; None if it remembers none."""
    query = TableQuery.of({}, [cookies.get(COLUMNS_COOKIE, "")])
    return query.link() if query.columns != TableQuery.columns else None


def last_table(cookies: Mapping[str, str]) -> str:
    """The link of the table that this browser saw last."""
    return query_of(unquote(cookies.get(TABLE_COOKIE, ""))).link()


def saved_views(cookies: Mapping[str, str]) -> list[SavedView]:
    try:
        entries = json.loads(unquote(cookies.get(VIEWS_COOKIE, "")))
    except ValueError:
        return []
    if not isinstance(entries, list):
        return []
    pairs = [entry for entry in entries if isinstance(entry, list) and len(entry) == 2]
    return [
        SavedView(name[:LONGEST_NAME], query_of(query))
        for name, query in pairs[:MOST_VIEWS]
        if isinstance(name, str) and isinstance(query, str) and name
    ]


def with_view(views: Sequence[SavedView], name: str, query: TableQuery) -> list[SavedView]:
    """The views with one more, or with this one replaced; unchanged if a cookie cannot hold them, or without a name."""
    name = " ".join(name.split())[:LONGEST_NAME]
    added = [*(view for view in views if view.name != name), SavedView(name, replace(query, page=1))]
    fits = name and len(added) <= MOST_VIEWS and len(views_cookie(added)) <= LONGEST_COOKIE
    return added if fits else list(views)


def views_cookie(views: Sequence[SavedView]) -> str:
    """The value of the cookie with these views."""
    return quote(json.dumps([[view.name, view.link.partition("?")[2]] for view in views], separators=(",", ":")))
