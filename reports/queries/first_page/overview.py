"""The overview: figures of a period beside those of another one, by day, week or month, and what to know about them.

Counts of days are those of `daily_totals`. Contacts who clicked do not add up by day: the click-to-delivered rate and the
conversion rate are those of the campaigns last sent in the period, as in the last row of the campaign table.

Not here: the arithmetic of periods (`reports.queries.first_page.periods`), the HTML (`reports/templates`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from models.enums import Clock
from models.insights import SCHEMA as INSIGHTS_SCHEMA
from reports.database import INSIGHTS, MARTS, Published
from reports.formatting import figure as formatted
from reports.links import day, one_of, start_of
from reports.plots import Chart, Line, Value
from reports.queries.first_page.figures import BASES, DAILY, FIGURES, NO_COUNTS, Change, Counts, Figure, change
from reports.queries.first_page.periods import (
    ONE_DAY,
    Against,
    Choice,
    Period,
    Step,
    compared_with,
    default_step,
    last_whole_day,
    period_of,
    steps,
)


@dataclass(frozen=True)
class OverviewQuery:
    """The period, comparison, clock and chart that a link asks for. Invalid values in a link are ignored."""

    choice: Choice = Choice.DAYS_30
    since: date | None = None
    until: date | None = None
    against: Against = Against.BEFORE
    clock: Clock = Clock.EVENT
    figure: str = "revenue"
    second: str = ""
    step: Step | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "OverviewQuery":
        since, until = day(parameters.get("since", "")), day(parameters.get("until", ""))
        choice = Choice(one_of(list(Choice), parameters.get("period"), cls.choice))
        is_own = choice == Choice.OWN
        figure = one_of(FIGURES, parameters.get("figure"), cls.figure)
        second = one_of(FIGURES, parameters.get("second"), "")
        step = one_of(list(Step), parameters.get("by"), "")
        return cls(
            choice,
            since=since if is_own else None,
            until=until if is_own else None,
            against=Against(one_of(list(Against), parameters.get("against"), cls.against)),
            clock=Clock(one_of(list(Clock), parameters.get("clock"), cls.clock)),
            figure=figure,
            second=second if second != figure else "",
            step=Step(step) if step else None,
        )

    @property
    def problem(self) -> str:
        """Why the chosen days are no period; empty if they are one. The default period is then shown."""
        if self.choice != Choice.OWN:
            return ""
        if self.since and self.until and self.since > self.until:
            return f"The first day, {self.since}, is after the last day, {self.until}."
        return "" if self.since or self.until else "Own dates need a first or a last day."

    @property
    def shown_choice(self) -> Choice:
        return OverviewQuery.choice if self.problem else self.choice

    def parameters(self, **changes: Any) -> list[tuple[str, Any]]:
        """The parameters of its link, with changes; those at their default have no value."""
        query, default = replace(self, **changes), OverviewQuery()
        if query.choice != Choice.OWN:
            query = replace(query, since=None, until=None)
        values = {
            "period": query.choice, "since": query.since, "until": query.until, "against": query.against,
            "clock": query.clock, "figure": query.figure, "second": query.second, "by": query.step,
        }  # fmt: skip
        defaults = {
            "period": default.choice, "against": default.against, "clock": default.clock, "figure": default.figure,
        }  # fmt: skip
        return [(name, value if value != defaults.get(name) else None) for name, value in values.items()]


@dataclass(frozen=True)
class Reading:
    """A figure with its value as text, and its change; None where there is nothing to compare with, for the reason in `why`."""

    figure: Figure
    text: str
    change: Change | None
    why: str


@dataclass(frozen=True)
class Tile:
    """A figure, another one beside it, and the values of its steps."""

    main: Reading
    beside: Reading | None
    values: Sequence[Value]


_TILES = (
    ("revenue", None), ("messages", None), ("delivery_rate", None), ("click_rate", "human_click_rate"),
    ("conversion_rate", None), ("revenue_per_message", None), ("cost", "roi"), ("unsubscribe_rate", None),
)  # fmt: skip
"""The figure of each tile, and the one beside it."""


@dataclass(frozen=True)
class Overview:
    """The figures of a period. `before` is the period that it is compared with, if any; `data` are the days with data."""

    query: OverviewQuery
    period: Period
    before: Period | None
    step: Step
    data: Period
    base: str
    days: Mapping[date, Counts]

    @cached_property
    def totals(self) -> Counts:
        return self.sum(self.period)

    @cached_property
    def totals_before(self) -> Counts | None:
        """Those of the period before; None if it has no data."""
        return self.sum(self.before) if self.before and self.before.meets(self.data) else None

    @property
    def has_data(self) -> bool:
        return self.period.meets(self.data)

    @property
    def is_cut(self) -> bool:
        """Whether days of the period are before or after the data."""
        return not self.data.has(self.period)

    @property
    def is_before_cut(self) -> bool:
        """Whether only some days of the period before have data."""
        return self.totals_before is not None and self.before is not None and not self.data.has(self.before)

    @property
    def _why_no_change(self) -> str:
        """Why figures are not compared with those of the period before; empty if they are."""
        if not self.before:
            return "no comparison"
        if not self.has_data:
            return "no data"
        if not self.totals_before:
            return "no data before"
        # Ten days against thirty would show a growth that is none.
        return "days missing: not compared" if self.is_cut or self.is_before_cut else ""

    def sum(self, period: Period) -> Counts:
        """The counts of the days of a period, added up."""
        if period.days < len(self.days):
            found = [self.days.get(period.first + ONE_DAY * number, NO_COUNTS) for number in range(period.days)]
        else:
            found = [counts for day, counts in self.days.items() if day in period]
        return {name: sum((counts[name] for counts in found), nothing) for name, nothing in NO_COUNTS.items()}

    @cached_property
    def tiles(self) -> list[Tile]:
        # Not the step of the chart: seven days by week are one point.
        parts = steps(self.period, default_step(self.period))
        return [
            Tile(
                self._reading(FIGURES[name]),
                self._reading(FIGURES[beside]) if beside else None,
                [self._value(FIGURES[name], part) for part in parts],
            )
            for name, beside in _TILES
        ]

    def _reading(self, figure: Figure) -> Reading:
        value = figure.value(self.totals) if self.has_data else None
        is_compared = self.totals_before and not self._why_no_change
        before = figure.value(self.totals_before) if self.totals_before and is_compared else None
        return Reading(
            figure,
            formatted(value, figure.unit),
            change(figure.unit, value, before),
            self._why_no_change or "no data before",
        )

    def meaning(self, figure: Figure) -> str:
        return f"{figure.meaning}{BASES[self.base]}." if figure.name == "conversion_rate" else figure.meaning

    @cached_property
    def chart(self) -> Chart:
        """The chosen figures by step; a single one with that of the period before."""
        parts = steps(self.period, self.step)
        chosen = [FIGURES[name] for name in (self.query.figure, self.query.second) if name]
        lines = [
            Line(
                figure.label,
                figure.kind,
                figure.unit,
                [self._value(figure, part) for part in parts],
                on_right=figure.unit != chosen[0].unit,
            )
            for figure in chosen
        ]
        if len(chosen) == 1 and self.before and self.totals_before:
            values = [self._value(chosen[0], part) for part in steps(self.before, self.step)]
            as_many = [*values, *[None] * len(parts)][: len(parts)]
            label = "A year earlier" if self.query.against == Against.YEAR else "The period before"
            lines.append(Line(label, "quiet", chosen[0].unit, as_many, is_dashed=True))
        if len(lines) > 1 and len(chosen) > 1 and lines[0].kind == lines[1].kind:
            lines[1] = replace(lines[1], kind="series-2")
        return Chart(
            "trend",
            " and ".join(figure.label for figure in chosen),
            self.step,
            [_name(part, self.step) for part in parts],
            [_label(part, self.step) for part in parts],
            lines,
        )

    def _value(self, figure: Figure, part: Period) -> Value:
        """The figure of a step; None before the data begin and after they end."""
        has_data = part.first <= self.data.last and part.last >= self.data.first
        return figure.value(self.sum(part)) if has_data else None


def _name(part: Period, step: Step) -> str:
    """A day, week or month in full."""
    if step == Step.MONTH:
        return f"{part.first:%Y-%m}"
    return str(part.first) if part.days == 1 else f"{part.first} to {part.last}"


def _label(part: Period, step: Step) -> str:
    """Its short form on the axis."""
    return f"{part.first:%b %Y}" if step == Step.MONTH else f"{part.first.day} {part.first:%b}"


def overview(published: Published, query: OverviewQuery, zone: ZoneInfo) -> Overview | None:
    """The figures of the period that the query asks for; None if the build has no daily totals, or they are empty."""
    data_until = published.info["data_until"]
    if data_until is None or not published.has(INSIGHTS_SCHEMA, "daily_totals"):
        return None
    (ends,) = published.rows(f"select min(day) as first, max(day) as last from {INSIGHTS}.daily_totals")
    if ends["first"] is None:
        return None
    last_day = last_whole_day(data_until, zone)
    # The last days may have no message, order or unsubscribe.
    data = Period(ends["first"], max(ends["last"], last_day))
    choice = query.shown_choice
    if choice == Choice.ALL:
        period = Period(ends["first"], ends["last"])
    elif choice == Choice.OWN:
        until = query.until or max(last_day, query.since or last_day)
        period = Period(query.since or min(data.first, until), until)
    else:
        period = period_of(choice, last_day)
    before = compared_with(choice, period, query.against)
    base = str(published.settings["conversion_rate_denominator"])
    days = _days(published, query.clock, [period, *([before] if before else [])], zone, base)
    return Overview(query, period, before, query.step or default_step(period), data, base, days)


def _days(
    published: Published, clock: Clock, periods: Sequence[Period], zone: ZoneInfo, base: str
) -> dict[date, Counts]:
    """The counts of each day between the first and the last of the periods."""
    between = Period(min(period.first for period in periods), max(period.last for period in periods))
    sums = ", ".join(f"sum({name}) as {name}" for name in DAILY)
    daily = published.rows(
        f"select day, {sums} from {INSIGHTS}.daily_totals where clock = $clock and day between $first and $last group by day",
        {"clock": str(clock), "first": between.first, "last": between.last},
    )
    campaigns = published.rows(
        "select timezone($zone, timezone('UTC', last_sent_at))::date as day, count(*) as campaigns,"
        " sum(metrics.unique_clickers) as clickers, sum(coalesce(quality.human_unique_clickers, 0)) as human_clickers,"
        " sum(total_delivered) as campaign_delivered, sum(direct_orders) as campaign_orders,"
        f" sum(metrics.{base}) as campaign_base"
        f" from {MARTS}.campaign_metrics as metrics left join {INSIGHTS}.campaign_click_quality as quality using (campaign_id)"
        " where last_sent_at >= $start and last_sent_at < $end group by day",
        {"zone": zone.key, "start": start_of(between.first, zone), "end": start_of(between.last + ONE_DAY, zone)},
    )
    days: dict[date, dict[str, Any]] = {}
    for row in (*daily, *campaigns):
        days.setdefault(row.pop("day"), dict(NO_COUNTS)).update(row)
    return dict(sorted(days.items()))
