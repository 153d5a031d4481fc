"""`python -m benchmarks.shapes`: the cost of landing zones of an odd shape, beside an ordinary one with as many rows.

Each zone goes through every stage: its history is built in full, each drop incrementally, and at the end everything in full
again. The marts must equal those of the hand-written baseline, after the last drop and after the rebuild.

Not here: what is odd (`shape_zones`), ordinary nights beside the baseline (`harness`).
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare import FiguresDiffer, require_baseline_figures
from benchmarks.measure import Cost, StageFailed, measure_stage, settings_variables, total
from benchmarks.samples import Sample
from benchmarks.shape_zones import SHAPES, Drop, Shape, Zone, ordinary_zone
from benchmarks.stage import STAGES
from warehouse.config import Settings

HISTORY, NIGHT, REBUILD = "history", "a night", "rebuild"
SLOWEST = 3

GROUPS = {
    "admission": ("admission",),
    "build": ("build",),
    "checks": ("dbt tests", "audit"),
    "publication, exports": ("publish", "export"),
}
"""The stages that share a column of the table."""


@dataclass
class Costs:
    """The costs of a zone by step (the history, a drop, the rebuild) and stage, and the number of its rows."""

    stages: dict[tuple[str, str], Cost] = field(default_factory=dict)
    rows: int = 0

    def cpu(self, step: str, stages: Sequence[str]) -> float:
        return sum(self.stages[step, stage].cpu for stage in stages if (step, stage) in self.stages)

    def of_step(self, step: str) -> Cost:
        return total(cost for (name, _), cost in self.stages.items() if name == step)


class _Run:
    """The stages on zones, each in a process of its own."""

    def __init__(self, folder: Path, memory_limit: str, threads: int) -> None:
        self._folder = folder
        self._memory_limit = memory_limit
        self._threads = threads

    def measure_ordinary(self, name: str, sample: Sample) -> Costs:
        """Measures an ordinary sample, and a night after it."""
        landing = self._folder / "ordinary-landing"
        shutil.copytree(sample.landing, landing)
        costs = self.measure_zone(
            f"ordinary, beside {name}", Zone(landing, [Drop(NIGHT, sample.night)]), keep_drops=True
        )
        shutil.rmtree(landing)
        return costs

    def measure_zone(self, name: str, zone: Zone, *, keep_drops: bool = False) -> Costs:
        """Measures every stage of a zone, and compares its marts with the baseline's.

        Raises:
            FiguresDiffer: Sendmart and the baseline give different rows.
            StageFailed: a stage did not work.
        """
        data, costs = self._folder / "data", Costs()
        for drop in [None, *zone.drops]:
            if drop:
                zone.drop_files(drop, keep=keep_drops)
            step = drop.name if drop else HISTORY
            for stage in STAGES:
                costs.stages[step, stage] = self._stage(name, step, stage, zone.landing, data)
            admitted = costs.stages[step, "admission"].figures
            costs.rows += admitted["accepted"] + admitted["rejected"]
        for stage in ("baseline admission", "baseline build"):
            self._stage(name, "all", stage, zone.same_rows or zone.landing, data)
        settings = Settings(memory_limit=self._memory_limit, threads=self._threads)
        require_baseline_figures(settings, data, same_files=zone.same_rows is None)
        costs.stages[REBUILD, "build"] = self._stage(name, "all", "rebuild", zone.landing, data)
        require_baseline_figures(settings, data, same_files=zone.same_rows is None)
        typer.echo("marts and quarantined rows equal the baseline's", err=True)
        shutil.rmtree(data)
        return costs

    def _stage(self, name: str, step: str, stage: str, landing: Path, data: Path) -> Cost:
        limits = {"memory_limit": self._memory_limit, "threads": self._threads}
        cost = measure_stage(stage, settings_variables(landing, data, **limits))
        models = sorted(cost.figures.get("models", {}).items(), key=lambda model: -model[1])[:SLOWEST]
        slowest = ", ".join(f"{model} {seconds:.1f}" for model, seconds in models)
        typer.echo(f"{name}, {step}: {stage} {cost}" + (f" ({slowest})" if slowest else ""), err=True)
        return cost


def table(shape: Shape, zone: Zone, odd: Costs, ordinary: Costs) -> str:
    """The costs of a shape as Markdown: CPU seconds of groups of stages by step, and their ratios to the ordinary sample of
    the same run; the peak memory of both.
    """
    counts = "".join(f", {count:,} {name}" for name, count in zone.counts.items())
    lines = [
        f"**{shape.description}**: {odd.rows:,} rows{counts}; beside {ordinary.rows:,} ordinary rows",
        "",
        f"| step | {' | '.join(GROUPS)} | wall s | peak MB | ordinary peak MB |",
        "|---|" + "--:|" * (len(GROUPS) + 3),
    ]
    for step in [HISTORY, *(drop.name for drop in zone.drops), REBUILD]:
        ordinary_step, cells = _ordinary_step(step, zone), []
        for stages in GROUPS.values():
            cpu, ordinary_cpu = odd.cpu(step, stages), ordinary.cpu(ordinary_step, stages)
            cells.append(f"{cpu:.1f} ({cpu / ordinary_cpu:.2f})" if cpu else "")
        cost, ordinary_peak = odd.of_step(step), ordinary.of_step(ordinary_step).peak
        cells += [f"{cost.wall:.0f}", f"{cost.peak / 1e6:,.0f}", f"{ordinary_peak / 1e6:,.0f}"]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ordinary_step(step: str, zone: Zone) -> str:
    """The step of the ordinary sample that a step is compared with."""
    if step in (HISTORY, REBUILD):
        return step
    return HISTORY if any(drop.name == step and drop.is_large for drop in zone.drops) else NIGHT


def main(
    only: Annotated[list[str] | None, typer.Option(help="Names of shapes; by default all of them.")] = None,
    scale: Annotated[float, typer.Option(min=0.001, help="Share of the full size.")] = 1.0,
    memory_limit: Annotated[str, typer.Option(help="DuckDB's memory limit, on both sides.")] = "2500MB",
    threads: Annotated[int, typer.Option(min=1, help="Threads, on both sides.")] = os.cpu_count() or 1,
) -> None:
    """Measure landing zones of an odd shape, each beside an ordinary one with as many rows."""
    if unknown := set(only or ()) - {shape.name for shape in SHAPES}:
        typer.echo(
            f"unknown shape: {', '.join(unknown)}; choose from {', '.join(shape.name for shape in SHAPES)}", err=True
        )
        raise typer.Exit(2)
    folder = Path(tempfile.mkdtemp(prefix="sendmart-shapes-"))
    run = _Run(folder, memory_limit, threads)
    ordinary: dict[int, tuple[Sample, Costs]] = {}
    try:
        for shape in SHAPES:
            if only and shape.name not in only:
                continue
            rows = round(shape.rows * scale)
            if rows not in ordinary:
                for sample, _ in ordinary.values():
                    shutil.rmtree(sample.landing.parent)
                ordinary.clear()
                sample = ordinary_zone(folder / f"ordinary-{rows}", rows)
                ordinary[rows] = sample, run.measure_ordinary(shape.name, sample)
            sample, ordinary_costs = ordinary[rows]
            zone = shape.write(folder / shape.name, sample, scale)
            typer.echo(f"\n{table(shape, zone, run.measure_zone(shape.name, zone), ordinary_costs)}\n")
            shutil.rmtree(folder / shape.name)
    except (FiguresDiffer, StageFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
