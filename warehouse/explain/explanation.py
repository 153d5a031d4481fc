"""What an explanation consists of.

Not here: how it is computed (`warehouse.explain.explainer`), how it is printed (`orchestration.cli.output.explanations`).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class Listing:
    """The first rows of a list, and the number of all its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


@dataclass(frozen=True)
class Basis:
    """The published build that the explanation is compared with. `is_current`: it was made from the lake as it is now."""

    build_id: str | None
    published_at: datetime | None
    is_current: bool
    data_until: date | None


@dataclass
class Explanation:
    """Why the figures of one id are what they are.

    `conclusion` holds figures by name, as the models compute them from the lake as it is now; `rules` the rules that were
    applied, as sentences; `published` the same figures as published, empty if the marts have no such row.
    """

    kind: str
    key: str
    basis: Basis
    conclusion: dict[str, Any] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of a query about the id: `$key`."""
        return {"key": self.key}

    @property
    def disagreements(self) -> dict[str, tuple[Any, Any]]:
        """The figures whose published value differs: the value now, the published value."""
        return {
            name: (value, self.published[name])
            for name, value in self.conclusion.items()
            if name in self.published and self.published[name] != value
        }


class UnknownId(Exception):
    """No row of the lake has the id. The message names the quarantined rows that mention it."""
