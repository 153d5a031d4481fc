"""The tables of a run, as Markdown: the figures that are to be reached, and every stage.

Ratios are ours to the baseline's where nothing else is said. Not here: what was measured (`harness`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmarks.harness import LITTLE_MEMORY, SHORT_DAYS, Measured, Outcome
from benchmarks.measure import Taken


@dataclass(frozen=True)
class Figure:
    """Something to be reached: what it is of, what came out and what it may be at most."""

    what: str
    measured: Measured
    value: float
    unit: str
    at_most: float

    def row(self) -> str:
        own, baseline = self.measured.own, self.measured.baseline
        cells = [self.what, f"{own.wall:.1f}", f"{own.cpu:.1f}", f"{own.peak / 1e6:,.0f}"]
        cells += (
            [f"{baseline.wall:.1f}", f"{baseline.cpu:.1f}", f"{baseline.peak / 1e6:,.0f}"] if baseline else [""] * 3
        )
        reached = "yes" if self.value <= self.at_most else "**no**"
        cells += [f"{self.value:.3g} {self.unit}", f"{self.at_most:.3g}", reached]
        return "| " + " | ".join(cells) + " |"


def figures(outcome: Outcome) -> str:
    """The figures to reach: seconds are without what is fixed, but for the last row; memory is with everything."""
    lines = [
        "| what | wall s | CPU s | peak MB | baseline wall s | baseline CPU s | baseline peak MB | measured | at most "
        "| reached |",
        "|---|" + "--:|" * 6 + "---|--:|---|",
    ]
    return "\n".join(lines + [figure.row() for figure in _figures(outcome)])


def _figures(outcome: Outcome) -> Iterable[Figure]:
    admission, build, night = outcome.stages["admission"], outcome.stages["build"], outcome.night
    admitted, arrived = admission.taken.figures["sends"], outcome.night_admission.figures["sends"]
    name = f"admission, {admitted:,} sends with their logs, csv.gz to lake"
    yield Figure(name, admission, _to_baseline(admission), "x baseline", 1.3)
    yield Figure("its memory", admission, admission.taken.peak / 1e9, "GB", 1)
    yield Figure("full rebuild, lake to all marts", build, _to_baseline(build), "x baseline", 1.5)
    yield Figure("its memory", build, build.taken.peak / 1e9, "GB", 4)
    little = outcome.little_memory
    name = f"full rebuild, memory_limit={LITTLE_MEMORY}"
    yield Figure(name, little, little.own.cpu / build.own.cpu, f"x that with {outcome.scale.memory_limit}", 1.2)
    name = f"night of {arrived:,} sends after {outcome.scale.days} days, change feed to marts"
    yield Figure(name, night, night.own.cpu / build.own.cpu, "x full rebuild", 1 / 8)
    yield Figure("the same", night, _to_baseline(night), "x baseline", 2)
    if short := outcome.short_night:
        name = f"night of {outcome.short_night_admission.figures['sends']:,} sends after {SHORT_DAYS} days"
        yield Figure(name, short, night.own.cpu / short.own.cpu, f"x as much after {outcome.scale.days} days", 2)
    nothing = Measured(outcome.refreshes["`sendmart refresh`, nothing new"])
    yield Figure("refresh with nothing new, all told", nothing, nothing.taken.cpu, "CPU s", 15)


def _to_baseline(measured: Measured) -> float:
    return measured.own.cpu / measured.baseline.cpu


def stages(outcome: Outcome) -> str:
    """Every stage, as it is and with what is fixed left out."""
    lines = [
        "| stage | wall s | CPU s | peak MB | fixed wall s | fixed CPU s | baseline wall s | baseline CPU s "
        "| baseline peak MB | wall ratio | CPU ratio | wall ratio, no fixed | CPU ratio, no fixed |",
        "|---|" + "--:|" * 12,
    ]
    lines += [_stage_row(stage, measured) for stage, measured in outcome.stages.items()]
    both = [stage for stage, measured in outcome.stages.items() if measured.baseline]
    lines += [
        _stage_row(f"**{name}**", _sum([outcome.stages[stage] for stage in stages]))
        for name, stages in ((" and ".join(both), both), ("all stages", list(outcome.stages)))
    ]
    night = {"admission": Measured(outcome.night_admission), "build": outcome.night, **outcome.night_checked}
    lines += [_stage_row(f"one night: {stage}", measured) for stage, measured in night.items()]
    lines.append(
        _stage_row("**one night, all stages**", _sum([replace(measured, baseline=None) for measured in night.values()]))
    )
    if outcome.short_night:
        lines.append(_stage_row(f"one night after {SHORT_DAYS} days: build", outcome.short_night))
    lines.append(_stage_row(f"full rebuild, {LITTLE_MEMORY}", outcome.little_memory))
    lines += [_stage_row(name, Measured(taken)) for name, taken in outcome.refreshes.items()]
    return "\n".join(lines)


def slowest_models(build: Measured, count: int = 6) -> str:
    """The dbt models that took longest in a build, with their seconds."""
    models = build.taken.figures["models"]
    return ", ".join(f"{name} {models[name]:.1f} s" for name in sorted(models, key=models.get, reverse=True)[:count])


def _stage_row(name: str, measured: Measured) -> str:
    taken, fixed, baseline = measured.taken, measured.fixed, measured.baseline
    cells = [name, f"{taken.wall:.1f}", f"{taken.cpu:.1f}", f"{taken.peak / 1e6:.0f}"]
    cells += [f"{fixed.wall:.1f}", f"{fixed.cpu:.1f}"] if fixed else [""] * 2
    if baseline:
        cells += [f"{baseline.wall:.1f}", f"{baseline.cpu:.1f}", f"{baseline.peak / 1e6:.0f}"]
        for ours in (taken, measured.own):
            cells += [f"{ours.wall / baseline.wall:.2f}", f"{ours.cpu / baseline.cpu:.2f}"]
    else:
        cells += [""] * 7
    return "| " + " | ".join(cells) + " |"


def _sum(stages: list[Measured]) -> Measured:
    """Several stages, one after the other; the baseline has not all of them."""
    baseline = [stage.baseline for stage in stages if stage.baseline]
    return Measured(
        _one_after_another([stage.taken for stage in stages]),
        _one_after_another([stage.fixed for stage in stages if stage.fixed]),
        _one_after_another(baseline) if baseline else None,
    )


def _one_after_another(parts: list[Taken]) -> Taken:
    return Taken(sum(part.wall for part in parts), sum(part.cpu for part in parts), max(part.peak for part in parts))
