"""`python -m benchmarks.shapes`: what landing zones of an odd shape cost, beside an ordinary one with as many rows.

Each zone goes through every stage: its history, built in full, then drop after drop brought up to date, last all of it
built in full again. The marts must be those of the hand-written baseline, after the last drop as after the rebuild.

Not here: what is odd (`shape_logs`), ordinary nights beside the baseline (`harness`).
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare import differences, differing_rejections
from benchmarks.harness import STAGES, FiguresDiffer
from benchmarks.measure import StageFailed, Taken, measure_stage
from benchmarks.samples import Sample
from benchmarks.shape_logs import SHAPES, Drop, Shape, Zone, ordinary_zone
from benchmarks.stage import BASELINE_FOLDER
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PREFIX, Settings

HISTORY, NIGHT, REBUILD = "history", "a night", "rebuild"
SLOWEST = 3

GROUPS = {
    "admission": ("admission",),
    "build": ("build",),
    "checks": ("dbt tests", "audit"),
    "publication, exports": ("publish", "export"),
}
"""The stages that are told together."""


@dataclass
class Costs:
    """What a zone took, by step (the history, a drop, the rebuild) and stage."""

    taken: dict[tuple[str, str], Taken] = field(default_factory=dict)
    rows: int = 0

    def cpu(self, step: str, stages: Sequence[str]) -> float:
        return sum(self.taken[step, stage].cpu for stage in stages if (step, stage) in self.taken)

    def wall(self, step: str) -> float:
        return sum(taken.wall for (of_step, _), taken in self.taken.items() if of_step == step)

    def peak(self, step: str) -> int:
        return max(taken.peak for (of_step, _), taken in self.taken.items() if of_step == step)


class _Run:
    """The stages over zones, each in a process of its own."""

    def __init__(self, folder: Path, memory_limit: str, threads: int) -> None:
        self._folder = folder
        self._memory_limit = memory_limit
        self._threads = threads

    def ordinary(self, name: str, sample: Sample) -> Costs:
        """What an ordinary sample takes, and a night after it."""
        landing = self._folder / "ordinary-landing"
        shutil.copytree(sample.landing, landing)
        costs = self.measured(f"ordinary, beside {name}", Zone(landing, [Drop(NIGHT, sample.night)]), keep_drops=True)
        shutil.rmtree(landing)
        return costs

    def measured(self, name: str, zone: Zone, *, keep_drops: bool = False) -> Costs:
        """Every stage of a zone; its marts, held against the baseline's.

        Raises:
            FiguresDiffer: ours and the baseline do not come to the same.
            StageFailed: a stage did not work.
        """
        data, costs = self._folder / "data", Costs()
        for drop in [None, *zone.drops]:
            if drop:
                if keep_drops:
                    shutil.copytree(drop.folder, zone.landing, dirs_exist_ok=True)
                else:
                    zone.arrive(drop)
            step = drop.name if drop else HISTORY
            for stage in STAGES:
                costs.taken[step, stage] = self._stage(name, step, stage, zone.landing, data)
            admitted = costs.taken[step, "admission"].figures
            costs.rows += admitted["accepted"] + admitted["rejected"]
        for stage in ("baseline admission", "baseline build"):
            self._stage(name, "all", stage, zone.same_rows or zone.landing, data)
        self._hold_against_baseline(data, is_laid_out_alike=zone.same_rows is None)
        costs.taken[REBUILD, "build"] = self._stage(name, "all", "rebuild", zone.landing, data)
        self._hold_against_baseline(data, is_laid_out_alike=zone.same_rows is None)
        shutil.rmtree(data)
        return costs

    def _stage(self, name: str, step: str, stage: str, landing: Path, data: Path) -> Taken:
        environment = {
            f"{PREFIX}LANDING": str(landing),
            f"{PREFIX}DATA": str(data),
            f"{PREFIX}MEMORY_LIMIT": self._memory_limit,
            f"{PREFIX}THREADS": str(self._threads),
        }
        taken = measure_stage(stage, environment)
        models = taken.figures.get("models", {})
        slowest = ", ".join(
            f"{model} {models[model]:.1f}" for model in sorted(models, key=models.get)[: -SLOWEST - 1 : -1]
        )
        typer.echo(
            f"{name}, {step}: {stage} {taken.wall:.1f} s, {taken.cpu:.1f} CPU s, {taken.peak / 1e6:,.0f} MB"
            + (f" ({slowest})" if slowest else ""),
            err=True,
        )
        return taken

    def _hold_against_baseline(self, data: Path, *, is_laid_out_alike: bool) -> None:
        """Compares the marts, and the rows turned away; only their number where the files are others."""
        paths, baseline = DataPaths(data), data / BASELINE_FOLDER
        settings = Settings(memory_limit=self._memory_limit, threads=self._threads)
        differing = differences(settings, paths.candidate, baseline / "marts.duckdb")
        rejections = differing_rejections(paths.published_quarantine, baseline / "quarantine.duckdb")
        by_baseline_alone = sum("by the baseline alone" in line for line in rejections)
        if is_laid_out_alike:
            differing += rejections
        elif by_baseline_alone * 2 != len(rejections):
            differing.append(f"rows turned away: {by_baseline_alone} of {len(rejections)} by the baseline alone")
        if differing:
            raise FiguresDiffer("\n".join(differing[:50]))
        typer.echo("every mart is that of the baseline", err=True)


def table(shape: Shape, zone: Zone, odd: Costs, ordinary: Costs) -> str:
    """The figures of a shape, as Markdown: by step the processor seconds of groups of stages, and how many times those of
    the ordinary sample of the same run they are; the peak of memory, and what it is there.
    """
    counted = "".join(f", {count:,} {what}" for what, count in zone.counts.items())
    lines = [
        f"**{shape.told}**: {odd.rows:,} rows{counted}; beside {ordinary.rows:,} ordinary rows",
        "",
        f"| step | {' | '.join(GROUPS)} | wall s | peak MB | ordinary peak MB |",
        "|---|" + "--:|" * (len(GROUPS) + 3),
    ]
    for step in [HISTORY, *(drop.name for drop in zone.drops), REBUILD]:
        beside, cells = _beside(step, zone), []
        for stages in GROUPS.values():
            cpu, of_ordinary = odd.cpu(step, stages), ordinary.cpu(beside, stages)
            cells.append(f"{cpu:.1f} ({cpu / of_ordinary:.2f})" if cpu else "")
        cells += [f"{odd.wall(step):.0f}", f"{odd.peak(step) / 1e6:,.0f}", f"{ordinary.peak(beside) / 1e6:,.0f}"]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beside(step: str, zone: Zone) -> str:
    """The step of the ordinary sample that a step is held against."""
    if step in (HISTORY, REBUILD):
        return step
    return HISTORY if any(drop.name == step and drop.is_large for drop in zone.drops) else NIGHT


def main(
    only: Annotated[list[str] | None, typer.Option(help="Shapes by name; all of them by default.")] = None,
    scale: Annotated[float, typer.Option(min=0.001, help="A share of the full size.")] = 1.0,
    memory_limit: Annotated[str, typer.Option(help="What DuckDB may use, on both sides.")] = "2500MB",
    threads: Annotated[int, typer.Option(min=1, help="Threads, on both sides.")] = os.cpu_count() or 1,
) -> None:
    """Measure landing zones of an odd shape, each beside an ordinary one with as many rows."""
    if unknown := set(only or ()) - {shape.name for shape in SHAPES}:
        typer.echo(
            f"no such shape: {', '.join(unknown)}; there are {', '.join(shape.name for shape in SHAPES)}", err=True
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
                ordinary[rows] = sample, run.ordinary(shape.name, sample)
            sample, beside = ordinary[rows]
            zone = shape.write(folder / shape.name, sample, scale)
            typer.echo(f"\n{table(shape, zone, run.measured(shape.name, zone), beside)}\n")
            shutil.rmtree(folder / shape.name)
    except (FiguresDiffer, StageFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(typer.run(main))
