"""The geometry of charts: rectangles and ticks, in units that the templates write as SVG.

Charts are drawn by a template and coloured by the style sheet, so that they follow light and dark, print as they are and
need no script. Beside each stands the table that it was drawn from.

Not here: colours and words (`reports/static`, `reports/templates`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 150
"""Of the area of a chart over time; axis labels stand around it."""

MOST_LABELS = 6


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


def shares(values: Sequence[float | int | None], width: float = 100) -> list[Bar]:
    """Parts of a whole, side by side over the width; nothing where the whole is nothing."""
    whole = float(sum(value or 0 for value in values))
    bars, x = [], 0.0
    for value in values:
        part = width * float(value or 0) / whole if whole else 0.0
        bars.append(Bar(round(x, 3), 0, round(part, 3), 1))
        x += part
    return bars


def lengths(values: Sequence[float | int | None], width: float = 100) -> list[float]:
    """Bars in proportion, the longest over the width."""
    longest = max((float(value or 0) for value in values), default=0.0)
    return [round(width * float(value or 0) / longest, 3) if longest > 0 else 0.0 for value in values]


def ticks(highest: float, about: int = 4) -> list[int]:
    """Whole numbers from 0 to at least the highest, at steps of 1, 2 or 5 times a power of ten."""
    least = max(highest, 1) / about
    power = 10 ** math.floor(math.log10(least)) if least >= 1 else 1
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    return [step * number for number in range(math.ceil(max(highest, 1) / step) + 1)]


@dataclass(frozen=True)
class Stacked:
    """Columns over time, one series on the other: `series[0]` is at the bottom."""

    series: list[list[Bar]]
    ticks: list[tuple[float, int]]
    labelled: list[tuple[float, int]]
    """The middle of a column, and its number: those with room for a label."""


def stacked(series: Sequence[Sequence[int]]) -> Stacked:
    """Columns of several series, each as wide as the others."""
    number = len(series[0])
    marks = ticks(max(sum(values) for values in zip(*series, strict=True)))
    slot, top = WIDTH / number, marks[-1]
    gap = min(slot * 0.2, 4)
    below = [0.0] * number
    drawn = []
    for values in series:
        bars = []
        for place, value in enumerate(values):
            height = HEIGHT * value / top
            below[place] += height
            bars.append(
                Bar(
                    round(place * slot + gap / 2, 2),
                    round(HEIGHT - below[place], 2),
                    round(slot - gap, 2),
                    round(height, 2),
                )
            )
        drawn.append(bars)
    every = math.ceil(number / MOST_LABELS)
    return Stacked(
        drawn,
        [(round(HEIGHT - HEIGHT * mark / top, 2), mark) for mark in marks],
        [(round((place + 0.5) * slot, 2), place) for place in range(0, number, every)],
    )
