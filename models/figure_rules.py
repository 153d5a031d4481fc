"""Rules on the figures of a day, which SENDMART_FIGURE_ALERTS lists: `delivery_rate<0.9`, `cost unusual`.

Not here: whether a day breaks a rule (`quality.figure_alerts`), the alert (`orchestration.notifications`).
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

EXAMPLE = "delivery_rate<0.9, unsubscribes_per_1000>5, cost unusual"

_RULE = re.compile(r"([a-z0-9_]+)(?:\s*([<>])\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)|\s+unusual)")


class Figure(StrEnum):
    """The figures of a day that a rule can be about."""

    DELIVERY_RATE = "delivery_rate"
    UNSUBSCRIBES_PER_1000 = "unsubscribes_per_1000"
    COST = "cost"
    MESSAGES = "messages"


@dataclass(frozen=True)
class FigureRule:
    """A limit that the figure must not be below or above; without one, the account's own history is the limit."""

    figure: Figure
    is_below: bool | None = None
    limit: Decimal | None = None

    def __str__(self) -> str:
        return f"{self.figure} unusual" if self.limit is None else f"{self.figure}{'<>'[not self.is_below]}{self.limit}"


@dataclass(frozen=True)
class DayFigures:
    """Counts and cost (in the reporting currency) of a day; each event counts on its own day."""

    day: date
    messages: int = 0
    delivered: int = 0
    failed: int = 0
    unsubscribes: int = 0
    cost: Decimal = Decimal()


def parse_rules(text: str) -> list[FigureRule]:
    """The rules in a text, which separates them by commas. Raises ValueError: `must be …`."""
    rules = []
    for part in text.split(","):
        match = _RULE.fullmatch(part.strip())
        if not match or match[1] not in list(Figure):
            raise ValueError(
                f"must be rules on {', '.join(Figure)}, separated by commas, such as {EXAMPLE}; not a rule:"
                f" {part.strip()!r}"
            )
        limit = Decimal(match[3]) if match[3] else None
        rules.append(FigureRule(Figure(match[1]), match[2] == "<" if match[2] else None, limit))
    return rules
