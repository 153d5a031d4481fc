"""Charts of lines: what a chart shows, and its geometry in the units of an SVG.

The template `_chart.html` draws a chart as an SVG with a table of its values. Where scripts run, `static/charts.js` replaces the
SVG by a chart that shows the values under the pointer. It reads the values from the table.

Not here: charts of bars (`reports.charts`), colours (`static/css/charts.css`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from reports.formatting import figure

WIDTH, HEIGHT = 640, 180
"""The drawing area; axis labels are outside it."""

SPARKLINE_WIDTH, SPARKLINE_HEIGHT = 100, 28
MOST_LABELS = 8

Value = int | float | Decimal | None


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    `kind` is its colour, the name of a variable of the style sheet. `unit` formats its values (`formatting.figure`). A line
    `on_right` has the right axis. All lines of one axis have the same unit. None is a gap.
    """

    label: str
    kind: str
    unit: str
    values: Sequence[Value]
    on_right: bool = False
    is_dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over the same steps, which are equally far apart: days, weeks, classes of time.

    `names` are the steps in full, `labels` their short forms on the axis. `step` is what a step is, such as "day". `links`:
    where each step leads in the table, if anywhere.
    """

    id: str
    title: str
    step: str
    names: Sequence[str]
    labels: Sequence[str]
    lines: Sequence[Line]
    links: Sequence[str] = ()

    @property
    def has_values(self) -> bool:
        return any(value is not None for line in self.lines for value in line.values)


class Axis(NamedTuple):
    """Heights of its ticks with their text, and the least and greatest value."""

    ticks: list[tuple[float, str]]
    least: float
    greatest: float


class Drawn(NamedTuple):
    """The `points` of each line, in parts without gaps; the axes; and the x of labelled steps with their label."""

    points: list[list[str]]
    left: Axis | None
    right: Axis | None
    labelled: list[tuple[float, str]]


def draw(chart: Chart) -> Drawn:
    """The geometry of a chart with at least one step."""
    left, right = (_axis([line for line in chart.lines if line.on_right is side]) for side in (False, True))
    every = math.ceil(len(chart.labels) / MOST_LABELS)
    xs = _positions(len(chart.names), WIDTH)
    points = []
    for line in chart.lines:
        axis = right if line.on_right else left
        assert axis is not None  # the line has one
        points.append(_points(line.values, xs, axis.least, axis.greatest, HEIGHT))
    return Drawn(points, left, right, [(xs[at], chart.labels[at]) for at in range(0, len(xs), every)])


def sparkline(values: Sequence[Value]) -> list[str]:
    """The points of a small line without axes, from 0 to the greatest value."""
    known = [float(value) for value in values if value is not None]
    least, greatest = min([0.0, *known]), max([0.0, *known])
    return _points(values, _positions(len(values), SPARKLINE_WIDTH), least, greatest or 1.0, SPARKLINE_HEIGHT)


def _positions(steps: int, width: float) -> list[float]:
    return [round(width * at / (steps - 1), 2) if steps > 1 else width / 2 for at in range(steps)]


def _points(values: Sequence[Value], xs: Sequence[float], least: float, greatest: float, height: float) -> list[str]:
    """The points of each part without a gap, as the attribute `points` of a polyline. A single point is a short dash."""
    parts = []
    for is_known, steps in groupby(zip(xs, values, strict=True), key=lambda step: step[1] is not None):
        if is_known:
            part = [
                (x, round(height - height * (float(value or 0) - least) / (greatest - least), 2)) for x, value in steps
            ]
            if len(part) == 1:
                part = [(part[0][0] - 2, part[0][1]), (part[0][0] + 2, part[0][1])]
            parts.append(" ".join(f"{x:g},{y:g}" for x, y in part))
    return parts


def _axis(lines: Sequence[Line]) -> Axis | None:
    """The axis of these lines: from 0, or from below it, to a round number above all values."""
    if not lines:
        return None
    values = [float(value) for line in lines for value in line.values if value is not None]
    unit = lines[0].unit
    marks = _marks(min([0.0, *values]), max([0.0, *values]), is_whole=unit == "count")
    least, greatest = marks[0], marks[-1]
    texts = [(round(HEIGHT - HEIGHT * (mark - least) / (greatest - least), 2), figure(mark, unit)) for mark in marks]
    return Axis(texts, least, greatest)


def _marks(least: float, greatest: float, *, is_whole: bool, about: int = 4) -> list[float]:
    """Round numbers in steps of 1, 2 or 5 times a power of ten, from at most `least` to at least `greatest`."""
    span = greatest - least or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(step * power for step in (1, 2, 5, 10) if step * power * about >= span * (1 - 1e-9))
    if is_whole:
        step = max(step, 1.0)
    first, last = math.floor(least / step + 1e-9), math.ceil(greatest / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
