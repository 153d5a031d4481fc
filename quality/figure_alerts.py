"""Whether a day breaks a rule on figures: a limit, or the account's own history.

The history of a day are the same weekdays of the eight weeks before. A rate is unusual beyond the median by four standard
deviations (from the median absolute deviation), by a margin, and by what chance does; a number of messages below half of the
fewest, a cost above twice the highest.

Not here: the rules (`models.figure_rules`), the figures (`warehouse.publish.daily_figures`), the alert
(`orchestration.notifications`).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from models.figure_rules import DayFigures, Figure, FigureRule
from quality.audit.anomalies import middle_and_deviation

DAYS_CHECKED = 3
"""The last whole days are checked, because late logs change them. Earlier days are history."""

UNSUBSCRIBES_DAYS = 7
"""Unsubscribes are counted over these days up to the day: they come days after the messages they answer."""

MIN_MESSAGES = 100
"""The fewest messages by which a rate, or a history of messages, is judged."""

_WEEKS, _MIN_WEEKS = 8, 4
_DEVIATIONS = 4
_MARGINS = {Figure.DELIVERY_RATE: 0.05, Figure.UNSUBSCRIBES_PER_1000: 2.0}


@dataclass(frozen=True)
class Breach:
    """A day that breaks a rule. `whole`: of a rate, the messages that it is a part of. `usual`: the bound and the median
    of the history, and the number of days in it; None if the rule has a limit.
    """

    rule: FigureRule
    day: date
    value: float
    part: int = 0
    whole: int = 0
    usual: tuple[float, float, int] | None = None

    @property
    def subject(self) -> str:
        """A text that names the breach, whatever the figure becomes."""
        return f"{self.rule} {self.day}"


def breaches(
    rules: Sequence[FigureRule], days: Sequence[DayFigures], incomplete: Collection[date] = ()
) -> list[Breach]:
    """The breaches on the last `DAYS_CHECKED` of `days`, which are consecutive, but on none of the `incomplete` ones."""
    found = []
    for at in range(max(0, len(days) - DAYS_CHECKED), len(days)):
        if days[at].day not in incomplete:
            found += [breach for rule in rules if (breach := _breach(rule, days, at))]
    return found


def _breach(rule: FigureRule, days: Sequence[DayFigures], at: int) -> Breach | None:
    value = _value(rule.figure, days, at)
    if value is None:
        return None
    part, whole = _part_and_whole(rule.figure, days, at)
    if rule.limit is not None:
        limit = float(rule.limit)
        is_broken = value < limit if rule.is_below else value > limit
        return Breach(rule, days[at].day, value, part, whole) if is_broken else None
    earlier = [_value(rule.figure, days, at - 7 * week) for week in range(1, _WEEKS + 1) if at - 7 * week >= 0]
    history = [value for value in earlier if value is not None]
    if len(history) < _MIN_WEEKS:
        return None
    bound = _bound(rule.figure, history, whole)
    if bound is None or not (value < bound if rule.figure in _LOW else value > bound):
        return None
    return Breach(rule, days[at].day, value, part, whole, (bound, median(history), len(history)))


_LOW = (Figure.DELIVERY_RATE, Figure.MESSAGES)
"""The figures that are unusual if they are low; the others, if they are high."""


def _part_and_whole(figure: Figure, days: Sequence[DayFigures], at: int) -> tuple[int, int]:
    if figure is Figure.DELIVERY_RATE:
        return days[at].delivered, days[at].delivered + days[at].failed
    if figure is Figure.UNSUBSCRIBES_PER_1000:
        counted = days[max(0, at - UNSUBSCRIBES_DAYS + 1) : at + 1]
        return sum(day.unsubscribes for day in counted), sum(day.delivered for day in counted)
    return 0, 0


def _value(figure: Figure, days: Sequence[DayFigures], at: int) -> float | None:
    """The figure of a day; None for a rate of fewer than `MIN_MESSAGES` messages."""
    if figure is Figure.COST:
        return float(days[at].cost)
    if figure is Figure.MESSAGES:
        return days[at].messages
    part, whole = _part_and_whole(figure, days, at)
    if whole < MIN_MESSAGES:
        return None
    return part / whole * (1000 if figure is Figure.UNSUBSCRIBES_PER_1000 else 1)


def _bound(figure: Figure, history: Sequence[float], whole: int) -> float | None:
    """What is usual at least, or at most; None where nothing is usual."""
    if figure is Figure.COST:
        return 2 * max(history) if median(history) > 0 else None
    if figure is Figure.MESSAGES:
        return min(history) / 2 if median(history) >= MIN_MESSAGES else None
    middle, deviation = middle_and_deviation(history)
    scale = 1000 if figure is Figure.UNSUBSCRIBES_PER_1000 else 1
    share = middle / scale
    chance = scale * math.sqrt(share * max(0.0, 1 - share) / whole)
    width = max(_DEVIATIONS * deviation, _DEVIATIONS * chance, _MARGINS[figure])
    return middle - width if figure in _LOW else middle + width


def describe(breach: Breach, currency: str) -> str:
    """One line: the figure, the day, and what it is compared with."""

    def text(value: float) -> str:
        return _text(breach.rule.figure, value, currency)

    name, of = _NAMES[breach.rule.figure], ""
    if breach.rule.figure is Figure.DELIVERY_RATE:
        of = f" ({breach.part:,} of {breach.whole:,} messages with a final status)"
    elif breach.rule.figure is Figure.UNSUBSCRIBES_PER_1000:
        since = breach.day - timedelta(days=UNSUBSCRIBES_DAYS - 1)
        of = f" ({breach.part:,} of {breach.whole:,} delivered since {since})"
    if breach.usual is None:
        compared = f"The limit is {breach.rule}."
    else:
        bound, middle, days = breach.usual
        limit = "at least" if breach.rule.figure in _LOW else "at most"
        compared = f"Usual is {limit} {text(bound)}: the median of {days} earlier {breach.day:%A}s is {text(middle)}."
    return f"{breach.day}: {name} {text(breach.value)}{of}. {compared}"


_NAMES = {
    Figure.DELIVERY_RATE: "delivery rate",
    Figure.UNSUBSCRIBES_PER_1000: "unsubscribes per 1,000 delivered",
    Figure.COST: "cost",
    Figure.MESSAGES: "sent messages",
}


def _text(figure: Figure, value: float, currency: str) -> str:
    if figure is Figure.DELIVERY_RATE:
        return f"{value:.1%}".replace("%", " %")
    if figure is Figure.COST:
        return f"{currency} {value:,.2f}"
    return f"{value:,.1f}" if figure is Figure.UNSUBSCRIBES_PER_1000 else f"{value:,.0f}"
