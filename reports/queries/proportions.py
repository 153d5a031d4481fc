"""How sure a rate is: 95 % intervals of a proportion and of the difference of two.

Wilson's score interval without continuity correction, and Newcombe's hybrid interval, which is made from it (Newcombe 1998,
Statistics in Medicine 17, 873-890, method 10).

Not here: the intervals in the marts (`dbt_project/macros/wilson_bound.sql`).
"""

import math
from typing import NamedTuple

_Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


class Proportion(NamedTuple):
    """A part of a whole, both counts. A part above the whole counts as equal to it."""

    part: int
    whole: int

    @property
    def rate(self) -> float | None:
        return self.part / self.whole if self.whole else None


class Interval(NamedTuple):
    low: float
    high: float


def wilson_interval(proportion: Proportion) -> Interval | None:
    """The 95 % interval of a rate; None if the whole is 0."""
    whole = proportion.whole
    if not whole:
        return None
    part = min(proportion.part, whole)
    share, squared = part / whole, _Z * _Z
    centre = share + squared / (2 * whole)
    margin = _Z * math.sqrt(share * (1 - share) / whole + squared / (4 * whole * whole))
    scale = 1 + squared / whole
    # Exact at both ends, where the formula leaves a rounding error.
    return Interval(
        0.0 if part == 0 else (centre - margin) / scale, 1.0 if part == whole else (centre + margin) / scale
    )


class Difference(NamedTuple):
    """The first rate less the second, with its 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes 0: the figures show a difference."""
        return self.low > 0 or self.high < 0


def difference(first: Proportion, second: Proportion) -> Difference | None:
    """The difference of two rates; None if one of the wholes is 0."""
    intervals = wilson_interval(first), wilson_interval(second)
    if intervals[0] is None or intervals[1] is None:
        return None
    a, b = (min(part, whole) / whole for part, whole in (first, second))
    return Difference(
        a - b,
        a - b - math.hypot(a - intervals[0].low, intervals[1].high - b),
        a - b + math.hypot(intervals[0].high - a, b - intervals[1].low),
    )
