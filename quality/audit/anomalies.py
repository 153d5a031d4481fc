"""Compares the metrics of a candidate with those of earlier builds, and gives the range that each is expected in.

The range comes from published builds of the last `RECENT` log dates, of each date the one published last. Marts hold
everything since the first log, so that a bad day hardly moves a total: compared is the increase since the log date before, or
a metric of the last days. Ranges are wide, because a warning may wake somebody: the median plus or minus four standard
deviations (from the median absolute deviation), at least the margin of each comparison, and for shares what chance does.

Not here: the metrics (`quality.audit.metrics`), the expectations made of the ranges (`quality.audit.suites`).
"""

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from models.check_results import BuildMetrics
from quality.audit.metrics import MIN_DENOMINATOR, PROVIDER_PREFIX

RECENT = 28
"""How many earlier log dates make a range: four of each day of the week."""

MIN_BUILDS = 7
"""The fewest earlier log dates that make a range: a week, because days of the week differ."""

_DEVIATION_OF_MEDIAN_DEVIATION = 1.4826
"""A standard deviation of normally distributed values, per median absolute deviation."""

_DEVIATIONS = 4
_LEAST_VOLUME, _MOST_VOLUME = 0.55, 3.0
_BEYOND_EXTREMES = 2.0

LOW, HIGH = "low", "high"

_Range = tuple[float | None, float | None]
_History = Sequence[tuple[date, float]]


@dataclass(frozen=True)
class ComparedMetric:
    """A metric beside its earlier values by log date, oldest first, and the bounds of its usual range (None: no bound)."""

    name: str
    description: str
    value: float
    lower: float | None
    upper: float | None
    history: tuple[tuple[date, float], ...]

    @property
    def has_range(self) -> bool:
        return self.lower is not None or self.upper is not None

    @property
    def is_in_range(self) -> bool:
        return (self.lower is None or self.value >= self.lower) and (self.upper is None or self.value <= self.upper)


@dataclass(frozen=True)
class _Step:
    """The metrics of a mart at a log date, and at the log date before, which is `days` earlier."""

    log_date: date
    current: Mapping[str, float]
    previous: Mapping[str, float] | None
    days: int

    def increase(self, metric: str) -> float | None:
        if self.previous is None or metric not in self.current or metric not in self.previous:
            return None
        return self.current[metric] - self.previous[metric]


@dataclass(frozen=True)
class _Current:
    """A metric as it is at a log date."""

    metric: str
    description: str

    @property
    def name(self) -> str:
        return self.metric

    def value(self, step: _Step) -> float | None:
        return step.current.get(self.metric)


@dataclass(frozen=True)
class Total(_Current):
    """A total since the first log. It shrinks only if rows are removed; the share `min_share` of it must remain. A total below
    `min_total` is not compared.
    """

    min_share: float = 0.99
    min_total: int = MIN_DENOMINATOR


@dataclass(frozen=True)
class Volume(_Current):
    """The increase of a metric per day, or, with `is_daily`, a metric that is the count of one day."""

    is_daily: bool = False

    @property
    def name(self) -> str:
        return self.metric if self.is_daily else f"{self.metric}_added_a_day"

    def value(self, step: _Step) -> float | None:
        if self.is_daily:
            return super().value(step)
        increase = step.increase(self.metric)
        return None if increase is None else increase / step.days

    def range(self, step: _Step, history: _History) -> _Range:
        values = [value for _, value in history]
        if median(values) < MIN_DENOMINATOR:
            return None, None
        middle, deviation = middle_and_deviation([math.log(max(value, 1)) for value in values])
        lower = math.exp(middle - max(_DEVIATIONS * deviation, -math.log(_LEAST_VOLUME)))
        upper = math.exp(middle + max(_DEVIATIONS * deviation, math.log(_MOST_VOLUME)))
        # Where days differ much, the range still ends not far beyond the extremes.
        if len(values) >= 2 * MIN_BUILDS:
            lower, upper = max(lower, min(values) / _BEYOND_EXTREMES), min(upper, max(values) * _BEYOND_EXTREMES)
        # A quiet Sunday is usual where Sundays are quiet.
        same_weekday = [value for day, value in history if day.weekday() == step.log_date.weekday()]
        if len(same_weekday) > 1:
            lower = min(lower, median(same_weekday) * _LEAST_VOLUME)
            upper = max(upper, median(same_weekday) * _MOST_VOLUME)
        # Nothing at all is outside the range wherever there always was something.
        return (max(lower, 1.0) if min(values) >= 1 else lower), upper


@dataclass(frozen=True)
class Lag(_Current):
    """The days by which a log or the data is behind."""

    margin: float = 2.5

    def range(self, step: _Step, history: _History) -> _Range:
        values = sorted(value for _, value in history)
        # A lag that happened once is not usual: the greatest so far is left out.
        return None, max(median(values) + self.margin, values[-2] + 0.5)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The increase of `part` per increase of `whole`, if that is at least `min_whole`."""

    part: str
    whole: str | None = None
    description: str
    min_whole: int = MIN_DENOMINATOR

    @property
    def name(self) -> str:
        return f"{self.part}_added_per_{self.whole}_added" if self.whole else self.part

    def value(self, step: _Step) -> float | None:
        if self.whole is None:
            return step.current.get(self.part)
        part_increase, whole_increase = step.increase(self.part), step.increase(self.whole)
        if part_increase is None or whole_increase is None or whole_increase < self.min_whole:
            return None
        return part_increase / whole_increase


@dataclass(frozen=True, kw_only=True)
class Share(_Part):
    """The increase of `part` as a share of that of `whole`; without one, `part` is a share of `share_of`. It warns on one
    `side`.
    """

    margin: float
    side: str = HIGH
    share_of: str = ""

    def range(self, step: _Step, history: _History) -> _Range:
        middle, deviation = middle_and_deviation([value for _, value in history])
        width = max(_DEVIATIONS * deviation, self.margin)
        sample_size = step.increase(self.whole) if self.whole else step.current.get(self.share_of)
        if sample_size and 0 < middle < 1:
            width = max(width, _DEVIATIONS * math.sqrt(middle * (1 - middle) / sample_size))
        return (middle - width, None) if self.side == LOW else (None, middle + width)


@dataclass(frozen=True, kw_only=True)
class Ratio(_Part):
    """An increase per increase on a logarithmic scale: half as much is as far off as twice as much."""

    factor: float

    def range(self, step: _Step, history: _History) -> _Range:
        logarithms = [math.log(value) for _, value in history if value > 0]
        if len(logarithms) < MIN_BUILDS:
            return None, None
        middle, deviation = middle_and_deviation(logarithms)
        width = max(_DEVIATIONS * deviation, math.log(self.factor))
        return math.exp(middle - width), math.exp(middle + width)


Comparison = Total | Volume | Lag | Share | Ratio

_KINDS: dict[str, type[Comparison]] = {kind.__name__.lower(): kind for kind in (Total, Volume, Lag, Share, Ratio)}

USUAL_RANGES: dict[str, dict[str, list[dict[str, Any]]]] = tomllib.loads(
    Path(__file__).with_name("usual_ranges.toml").read_text(encoding="utf-8")
)
"""By mart, `volumes` (`quality.audit.suites`) and `history`."""


def _comparison(kind: str, **fields: Any) -> Comparison:
    return _KINDS[kind](**fields)


COMPARISONS = {
    mart: [_comparison(**entry) for entry in ranges.get("history", ())] for mart, ranges in USUAL_RANGES.items()
}
"""By mart, what is compared; a mart may have no entry. A comparison gives no range where there are too few values."""


def compare(mart: str, candidate: BuildMetrics, published: Sequence[BuildMetrics]) -> list[ComparedMetric]:
    """The metrics of a candidate's mart beside those of the `published` builds, which are in the order of publication."""
    # The candidate may have been published before.
    earlier_builds = [build for build in published if build.build_id != candidate.build_id]
    steps = list(_steps(mart, candidate, earlier_builds))
    if not steps:
        return []
    *earlier_steps, step = steps
    # One for each provider, so that a provider whose receipts stop is named.
    of_providers = [
        Ratio(
            part=name, whole="contacts", description=f"provider {provider} sends as many receipts as before", factor=2.5
        )
        for name in step.current
        if (provider := name.removeprefix(PROVIDER_PREFIX)) != name
    ]
    compared = []
    for comparison in (*COMPARISONS.get(mart, ()), *of_providers):
        value = comparison.value(step)
        if value is None:
            continue
        values = [(earlier.log_date, comparison.value(earlier)) for earlier in earlier_steps]
        history = tuple((day, earlier_value) for day, earlier_value in values if earlier_value is not None)
        lower, upper = _range(comparison, mart, step, history, earlier_builds)
        compared.append(ComparedMetric(comparison.name, comparison.description, value, lower, upper, history))
    return compared


def _steps(mart: str, candidate: BuildMetrics, published: Sequence[BuildMetrics]) -> Iterator[_Step]:
    """The metrics by log date, oldest first, the candidate last, each with those of the log date before."""
    if candidate.data_until is None or mart not in candidate.metrics:
        return
    # A build published later replaces an earlier one of the same log date.
    by_date = {
        build.data_until: build.metrics[mart]
        for build in published
        if build.data_until is not None and build.data_until < candidate.data_until and mart in build.metrics
    }
    dates = [*sorted(by_date)[-RECENT - 1 :], candidate.data_until]
    by_date[candidate.data_until] = candidate.metrics[mart]
    yield _Step(dates[0], by_date[dates[0]], previous=None, days=1)
    for previous, log_date in pairwise(dates):
        yield _Step(log_date, by_date[log_date], by_date[previous], (log_date - previous).days)


def _range(
    comparison: Comparison, mart: str, step: _Step, history: _History, published: Sequence[BuildMetrics]
) -> _Range:
    if isinstance(comparison, Total):
        # One earlier build is enough, whatever its log date.
        last = published[-1].metrics.get(mart, {}).get(comparison.metric) if published else None
        return (last * comparison.min_share if last is not None and last >= comparison.min_total else None), None
    return comparison.range(step, history) if len(history) >= MIN_BUILDS else (None, None)


def middle_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """The median, and the standard deviation that the median absolute deviation stands for."""
    middle = median(values)
    return middle, _DEVIATION_OF_MEDIAN_DEVIATION * median(abs(value - middle) for value in values)
