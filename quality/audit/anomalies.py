"""What earlier builds make ordinary: every figure of a candidate that has a history, and the range it is expected in.

Only published builds count, so that a build that was held back does not become the norm; of those with the same latest
log date the one published last, so that building twice a day does not count twice; and of these the last `RECENT`. With
fewer than `ENOUGH_BUILDS`, nothing is ordinary yet, and nothing is said.

Marts hold all that ever happened, and a bad night hardly moves a total: what is compared is what was added since the
log date before, as a number a day or as a share of another such number, or a figure that is itself of the last days.

Ranges are wide, for what is out of them wakes somebody up: the median of the earlier values, and around it four times
their usual distance from it (median absolute deviation, made comparable with a standard deviation), at least the margin
that stands with each comparison, and of shares at least what chance alone does to a share of so many.

Not here: the figures (`quality.audit.metrics`), the expectations made of this (`quality.audit.suites`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from models.build_metrics import BuildFigures
from models.marts import DBT_MARTS
from quality.audit.metrics import DECIDED_BY, ENOUGH

RECENT = 28
"""Log dates that are looked back on: four of each day of the week."""

ENOUGH_BUILDS = 7
"""A week: fewer say little of how much days differ."""

_LIKE_A_DEVIATION = 1.4826
_WIDTH = 4
_LEAST_OF_A_VOLUME, _MOST_OF_A_VOLUME = 0.55, 3.0
_BEYOND = 2.0

LOW, HIGH = "low", "high"
BOTH = LOW + HIGH

_Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Compared:
    """A figure beside its history: `earlier` by date, oldest first, and the range that follows, null where there is none."""

    name: str
    says: str
    value: float
    least: float | None
    most: float | None
    earlier: tuple[tuple[date, float], ...]

    @property
    def has_norm(self) -> bool:
        return self.least is not None or self.most is not None


@dataclass(frozen=True)
class _Step:
    """A build's figures of one mart, and those of the log date before."""

    day: date
    now: Mapping[str, float]
    before: Mapping[str, float] | None
    days: int

    def added(self, figure: str) -> float | None:
        if self.before is None or figure not in self.now or figure not in self.before:
            return None
        return self.now[figure] - self.before[figure]


@dataclass(frozen=True)
class Kept:
    """A total over all time: it does not shrink, unless rows were taken back. `least` is the share that must be left."""

    figure: str
    says: str
    least: float = 0.99
    enough: int = ENOUGH

    @property
    def name(self) -> str:
        return self.figure

    def value(self, step: _Step) -> float | None:
        return step.now.get(self.figure)


@dataclass(frozen=True)
class Volume:
    """What was added a day, or, with `of_a_day`, a figure that is of a day anyway."""

    figure: str
    says: str
    of_a_day: bool = False

    @property
    def name(self) -> str:
        return self.figure if self.of_a_day else f"{self.figure}_added_a_day"

    def value(self, step: _Step) -> float | None:
        if self.of_a_day:
            return step.now.get(self.figure)
        added = step.added(self.figure)
        return None if added is None else added / step.days

    def range(self, earlier: Sequence[tuple[date, float]], day: date) -> _Range:
        values = [value for _, value in earlier]
        if median(values) < ENOUGH:
            return None, None
        middle, spread = _middle_and_spread([math.log(max(value, 1)) for value in values])
        least = math.exp(middle - max(_WIDTH * spread, -math.log(_LEAST_OF_A_VOLUME)))
        most = math.exp(middle + max(_WIDTH * spread, math.log(_MOST_OF_A_VOLUME)))
        # Where days differ much, they still seldom go far beyond all that there were.
        if len(values) >= 2 * ENOUGH_BUILDS:
            least, most = max(least, min(values) / _BEYOND), min(most, max(values) * _BEYOND)
        # A quiet Sunday is no news where Sundays are quiet.
        same = [value for other, value in earlier if other.weekday() == day.weekday()]
        if len(same) > 1:
            least = min(least, median(same) * _LEAST_OF_A_VOLUME)
            most = max(most, median(same) * _MOST_OF_A_VOLUME)
        # However much days differ, none at all is told where there always were some.
        return (max(least, 1.0) if min(values) >= 1 else least), most


@dataclass(frozen=True)
class Share:
    """Of what was added, which part; with no `whole`, a figure that is a share of the last days anyway, `of` so many."""

    part: str
    whole: str | None
    says: str
    sides: str
    margin: float
    enough: int = ENOUGH
    of: str | None = None

    @property
    def name(self) -> str:
        return f"{self.part}_added_per_{self.whole}_added" if self.whole else self.part

    def value(self, step: _Step) -> float | None:
        return _per(step, self.part, self.whole, self.enough)

    def range(self, earlier: Sequence[tuple[date, float]], step: _Step) -> _Range:
        middle, spread = _middle_and_spread([value for _, value in earlier])
        width = max(_WIDTH * spread, self.margin)
        taken_of = step.added(self.whole) if self.whole else step.now.get(self.of or "")
        if taken_of and 0 < middle < 1:
            width = max(width, _WIDTH * math.sqrt(middle * (1 - middle) / taken_of))
        return (
            middle - width if LOW in self.sides else None,
            middle + width if HIGH in self.sides else None,
        )


@dataclass(frozen=True)
class Ratio:
    """What was added per what else was added, where twice as much is as far as half as much."""

    part: str
    whole: str
    says: str
    factor: float
    enough: int = ENOUGH

    @property
    def name(self) -> str:
        return f"{self.part}_added_per_{self.whole}_added"

    def value(self, step: _Step) -> float | None:
        return _per(step, self.part, self.whole, self.enough)

    def range(self, earlier: Sequence[tuple[date, float]]) -> _Range:
        values = [math.log(value) for _, value in earlier if value > 0]
        if len(values) < ENOUGH_BUILDS:
            return None, None
        middle, spread = _middle_and_spread(values)
        width = max(_WIDTH * spread, math.log(self.factor))
        return math.exp(middle - width), math.exp(middle + width)


@dataclass(frozen=True)
class Lag:
    """Days by which something is behind."""

    figure: str
    says: str
    margin: float = 2.5

    @property
    def name(self) -> str:
        return self.figure

    def value(self, step: _Step) -> float | None:
        return step.now.get(self.figure)

    def range(self, earlier: Sequence[tuple[date, float]]) -> _Range:
        values = sorted(value for _, value in earlier)
        # What happened once is no custom: the greatest lag so far is left out.
        return None, max(median(values) + self.margin, values[-2] + 0.5)


Comparison = Kept | Volume | Share | Ratio | Lag

COMPARISONS: dict[str, tuple[Comparison, ...]] = {
    "campaign_metrics": (
        Kept("campaigns", "no campaigns have gone"),
        Kept("messages_sent", "no messages have gone"),
        Kept("clicks", "no clicks have gone"),
        Volume("messages_sent", "as many messages come as on other days"),
        Volume("sends_rows_of_last_day", "the sends log of the last day is as long as on other days", of_a_day=True),
        Volume("clicks_rows_of_last_day", "the clicks log of the last day is as long as on other days", of_a_day=True),
        Ratio("clicks", "messages_sent", "messages are clicked as often as before", factor=2.5),
        Share("unnamed_campaigns_lately_share", None, "campaigns of the last week are known by name", HIGH, margin=0.1),
        Lag("days_behind", "data is as fresh as it usually is", margin=1.5),
        Lag("last_sent_days_behind", "messages were sent up to the last log date"),
        Lag("sends_days_behind", "the sends log comes as the others do"),
        Lag("clicks_days_behind", "the clicks log comes as the others do"),
    ),
    "campaign_overview": (
        Kept("contacts", "no contacts of campaigns have gone"),
        Share("unsubscribes", "contacts", "no more opt out than before", HIGH, margin=0.005),
        Share("hard_bounces", "contacts", "no more messages fail than before", HIGH, margin=0.02),
    ),
    "delivery_status": (
        Kept("contacts", "no contacts of campaigns have gone"),
        Volume("receipts_rows_of_last_day", "the receipts log of the last day is as long as on other days", True),
        Share(
            "delivered_lately_share",
            None,
            "messages of the last day are delivered as before",
            LOW,
            margin=0.05,
            of="sent_lately",
        ),
        Share(
            "pending_after_three_days_lately_share",
            None,
            "after three days, no more messages of two days are pending than before",
            HIGH,
            margin=0.02,
            of="settled_lately",
        ),
        Share(
            "expired_after_three_days_lately_share",
            None,
            "no more messages expire than before",
            HIGH,
            margin=0.02,
            of="settled_lately",
        ),
        Lag("receipts_days_behind", "the receipts log comes as the others do"),
    ),
    "skip_reasons": (
        Kept("skipped_messages", "no skipped messages have gone"),
        Share("skipped_messages", "messages", "no more messages are skipped than before", HIGH, margin=0.03),
    ),
    "attributed_unsubscribes": (
        Kept("unsubscribes", "no unsubscribes have gone"),
        Lag("unsubscribes_days_behind", "the unsubscribes log comes as the others do"),
    ),
    "attributed_orders": (
        Kept("orders", "no orders have gone"),
        Kept("revenue", "no revenue has gone, but what was refunded", least=0.9, enough=100 * ENOUGH),
        Volume("orders_rows_of_last_day", "the orders log of the last day is as long as on other days", True),
        Ratio("revenue", "orders", "orders bring in as much as before", factor=2, enough=20),
        Ratio("orders", "clicks", "clicks lead to orders as often as before", factor=3),
        Share("without_revenue", "orders", "orders have revenue as before", HIGH, margin=0.1, enough=20),
        Lag("orders_days_behind", "the orders log comes as the others do"),
    ),
    "suppressed_numbers": (
        Kept("numbers", "no suppressed numbers have gone"),
        Share("numbers", "contacts", "no more numbers are suppressed than before", HIGH, margin=0.01),
    ),
    "campaigns": (
        Kept("campaigns", "no campaigns have gone"),
        Lag("campaigns_days_behind", "the campaigns log comes as the others do"),
    ),
    "unconverted_orders": (Lag("exchange_rates_days_behind", "exchange rates come as the other logs do"),),
    "unmapped_receipts": (
        Share("messages", "messages_sent", "no more receipts are unknown words than before", HIGH, margin=0.005),
    ),
    "unmatched_events": (
        Share("receipts", "messages_sent", "receipts have their messages as before", HIGH, margin=0.02),
        Share("clicks", "clicks_of_all", "clicks have their campaigns as before", HIGH, margin=0.02),
    ),
    "campaign_clicks_hourly": (Kept("clicks", "no clicks have gone"),),
}
"""What is compared of each mart. Each keeps quiet where there is too little to go by."""

assert COMPARISONS.keys() == DBT_MARTS.keys()


def compared(mart: str, candidate: BuildFigures, published: Sequence[BuildFigures]) -> list[Compared]:
    """The figures of a candidate's mart beside those of earlier builds.

    Args:
        published: builds that were published, in that order; the candidate may be one of them, and is left out.
    """
    others = [build for build in published if build.build_id != candidate.build_id]
    steps = list(_steps(mart, candidate, others))
    if not steps:
        return []
    *earlier_steps, step = steps
    found = []
    for comparison in (*COMPARISONS[mart], *_by_provider(mart, step.now)):
        value = comparison.value(step)
        if value is None:
            continue
        values = [(other.day, comparison.value(other)) for other in earlier_steps]
        earlier = tuple((day, of_day) for day, of_day in values if of_day is not None)
        least, most = _range(comparison, mart, step, earlier, others)
        found.append(Compared(comparison.name, comparison.says, value, least, most, earlier))
    return found


def _by_provider(mart: str, figures: Mapping[str, float]) -> Iterator[Comparison]:
    """A gateway whose receipts stop coming is named."""
    for figure in figures if mart == "delivery_status" else ():
        if figure.startswith(DECIDED_BY):
            provider = figure.removeprefix(DECIDED_BY)
            yield Ratio(figure, "contacts", f"receipts of provider {provider} come as before", factor=2.5)


def _steps(mart: str, candidate: BuildFigures, published: Sequence[BuildFigures]) -> Iterator[_Step]:
    """By log date, oldest first, the candidate last: its figures and those of the date before."""
    if candidate.data_until is None or mart not in candidate.figures:
        return
    # One published later takes the place of one before it.
    by_day = {
        build.data_until: build.figures[mart]
        for build in published
        if build.data_until is not None and build.data_until < candidate.data_until and mart in build.figures
    }
    days = sorted(by_day)[-RECENT - 1 :]
    by_day[candidate.data_until] = candidate.figures[mart]
    before = None
    for day in [*days, candidate.data_until]:
        yield _Step(day, by_day[day], before and by_day[before], (day - before).days if before else 1)
        before = day


def _range(
    comparison: Comparison,
    mart: str,
    step: _Step,
    earlier: Sequence[tuple[date, float]],
    published: Sequence[BuildFigures],
) -> _Range:
    if isinstance(comparison, Kept):
        # What was published last can be told from the first build on, whatever its date.
        last = published[-1].figures.get(mart, {}).get(comparison.figure) if published else None
        return (last * comparison.least if last is not None and last >= comparison.enough else None), None
    if len(earlier) < ENOUGH_BUILDS:
        return None, None
    if isinstance(comparison, Volume):
        return comparison.range(earlier, step.day)
    if isinstance(comparison, Share):
        return comparison.range(earlier, step)
    return comparison.range(earlier)


def _per(step: _Step, part: str, whole: str | None, enough: int) -> float | None:
    if whole is None:
        return step.now.get(part)
    of_part, of_whole = step.added(part), step.added(whole)
    if of_part is None or of_whole is None or of_whole < enough:
        return None
    return of_part / of_whole


def _middle_and_spread(values: Sequence[float]) -> tuple[float, float]:
    middle = median(values)
    return middle, _LIKE_A_DEVIATION * median(abs(value - middle) for value in values)
