"""The results of a run as Markdown tables: the figures with their limits, and every stage.

Ratios compare Sendmart with the baseline, unless the cell says otherwise. Not here: the measurements (`harness`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.harness import LITTLE_MEMORY, SHORT_DAYS, Measured, Outcome
from benchmarks.measure import total


@dataclass(frozen=True)
class Figure:
    """A figure with a limit: its name, its costs, its value with a unit, and the greatest value allowed."""

    name: str
    measured: Measured
    value: float
    unit: str
    at_most: float

    def row(self) -> str:
        cost, baseline = self.measured.variable, self.measured.baseline
        cells = [self.name, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak / 1e6:,.0f}"]
        cells += (
            [f"{baseline.wall:.1f}", f"{baseline.cpu:.1f}", f"{baseline.peak / 1e6:,.0f}"] if baseline else [""] * 3
        )
        reached = "yes" if self.value <= self.at_most else "**no**"
        cells += [f"{self.value:.3g} {self.unit}", f"{self.at_most:.3g}", reached]
        return "| " + " | ".join(cells) + " |"


def figures(outcome: Outcome) -> str:
    """The figures with limits. Seconds are without fixed costs, except in the last row; memory is with everything."""
    lines = [
        "| what | wall s | CPU s | peak MB | baseline wall s | baseline CPU s | baseline peak MB | measured | at most "
        "| reached |",
        "|---|" + "--:|" * 6 + "---|--:|---|",
    ]
    return "\n".join(lines + [figure.row() for figure in _figures(outcome)])


def _figures(outcome: Outcome) -> Iterable[Figure]:
    admission, build, night = outcome.stages["admission"], outcome.stages["build"], outcome.night["build"]
    sends, night_sends = admission.cost.figures["sends"], outcome.night["admission"].cost.figures["sends"]
    yield Figure(
        f"admission, {sends:,} sends with their logs, csv.gz to lake",
        admission,
        _to_baseline(admission),
        "x baseline",
        1.3,
    )
    yield Figure("its memory", admission, admission.cost.peak / 1e9, "GB", 1)
    yield Figure("full rebuild, lake to all marts", build, _to_baseline(build), "x baseline", 1.5)
    yield Figure("its memory", build, build.cost.peak / 1e9, "GB", 4)
    little = outcome.little_memory
    yield Figure(
        f"full rebuild, memory_limit={LITTLE_MEMORY}",
        little,
        little.variable.cpu / build.variable.cpu,
        f"x that with {outcome.scale.memory_limit}",
        1.2,
    )
    yield Figure(
        f"night of {night_sends:,} sends after {outcome.scale.days} days, change feed to marts",
        night,
        night.variable.cpu / build.variable.cpu,
        "x full rebuild",
        1 / 8,
    )
    if short := outcome.short_night:
        yield Figure(
            f"night of {outcome.short_night_sends:,} sends after {SHORT_DAYS} days",
            short,
            night.variable.cpu / short.variable.cpu,
            f"x as much after {outcome.scale.days} days",
            2,
        )
    nothing_new = Measured(outcome.refreshes["`sendmart refresh`, nothing new"])
    yield Figure("refresh with nothing new, in total", nothing_new, nothing_new.cost.cpu, "CPU s", 15)


def _to_baseline(measured: Measured) -> float:
    assert measured.baseline is not None
    return measured.variable.cpu / measured.baseline.cpu


def stages(outcome: Outcome) -> str:
    """Every stage, with and without its fixed cost."""
    lines = [
        "| stage | wall s | CPU s | peak MB | fixed wall s | fixed CPU s | baseline wall s | baseline CPU s "
        "| baseline peak MB | wall ratio | CPU ratio | wall ratio, no fixed | CPU ratio, no fixed |",
        "|---|" + "--:|" * 12,
    ]
    lines += [_stage_row(stage, measured) for stage, measured in outcome.stages.items()]
    with_baseline = [stage for stage, measured in outcome.stages.items() if measured.baseline]
    lines += [
        _stage_row(f"**{name}**", _sum([outcome.stages[stage] for stage in names]))
        for name, names in ((" and ".join(with_baseline), with_baseline), ("all stages", list(outcome.stages)))
    ]
    night = {stage: Measured(measured.cost, measured.fixed) for stage, measured in outcome.night.items()}
    lines += [_stage_row(f"one night: {stage}", measured) for stage, measured in night.items()]
    lines.append(_stage_row("**one night, all stages**", _sum(list(night.values()))))
    if short := outcome.short_night:
        lines.append(_stage_row(f"one night after {SHORT_DAYS} days: build", Measured(short.cost, short.fixed)))
    lines.append(_stage_row(f"full rebuild, {LITTLE_MEMORY}", outcome.little_memory))
    lines += [_stage_row(name, Measured(cost)) for name, cost in outcome.refreshes.items()]
    return "\n".join(lines)


def slowest_models(build: Measured, count: int = 6) -> str:
    """The dbt models that took longest in a build, with their seconds."""
    models: dict[str, float] = build.cost.figures["models"]
    slowest = sorted(models.items(), key=lambda model: -model[1])[:count]
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest)


def _stage_row(name: str, measured: Measured) -> str:
    cost, fixed, baseline = measured.cost, measured.fixed, measured.baseline
    cells = [name, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak / 1e6:.0f}"]
    cells += [f"{fixed.wall:.1f}", f"{fixed.cpu:.1f}"] if fixed else [""] * 2
    if baseline:
        cells += [f"{baseline.wall:.1f}", f"{baseline.cpu:.1f}", f"{baseline.peak / 1e6:.0f}"]
        for ours in (cost, measured.variable):
            cells += [f"{ours.wall / baseline.wall:.2f}", f"{ours.cpu / baseline.cpu:.2f}"]
    else:
        cells += [""] * 7
    return "| " + " | ".join(cells) + " |"


def _sum(stages: list[Measured]) -> Measured:
    """Several stages that run one after another; the baseline has only some of them."""
    baseline = [stage.baseline for stage in stages if stage.baseline]
    return Measured(
        total(stage.cost for stage in stages),
        total(stage.fixed for stage in stages if stage.fixed),
        total(baseline) if baseline else None,
    )
