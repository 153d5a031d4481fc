"""`python -m benchmarks.engines`: the same sends on DuckDB and on Spark, stage by stage, and how the cost grows.

For each number of sends, in a data folder of its own, the logs are admitted once; then DuckDB builds, tests, audits, publishes
and exports, and after it Spark does, from the same lake, in this machine's cores. The marts of both must be equal.

Not here: a real cluster, which one machine cannot tell of (`docs/scaling.md` reckons from these figures).
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare import differences
from benchmarks.measure import StageFailed, Taken, measure_stage
from benchmarks.samples import write_history
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PREFIX, Engine, Settings

STAGES = ("build", "dbt tests", "audit", "publish", "export")
SENDS_A_DAY = 27_000

Costs = dict[str, Taken]


class _Run:
    """One number of sends, on both engines."""

    def __init__(self, folder: Path, sends: int, limits: dict[str, str]) -> None:
        self._limits = limits
        self._data = folder / "data"
        days = max(7, sends // SENDS_A_DAY)
        _tell(f"writing sample logs: {sends:,} sends on {days} days")
        self._landing = write_history(folder, sends, days).landing

    def costs(self) -> tuple[Taken, dict[Engine, Costs]]:
        """What admission took, and each stage on each engine.

        Raises:
            StageFailed: a stage did not work, or the marts of the engines differ.
        """
        admission = self._stage("admission", Engine.DUCKDB)
        costs = {}
        for engine in Engine:
            costs[engine] = {stage: self._stage(stage, engine) for stage in STAGES}
            shutil.copyfile(DataPaths(self._data).published_marts, self._data / f"{engine}.duckdb")
        settings = Settings(memory_limit=self._limits["MEMORY_LIMIT"], threads=int(self._limits["THREADS"]))
        if found := differences(settings, *(self._data / f"{engine}.duckdb" for engine in Engine)):
            raise StageFailed("\n".join(found))
        _tell("every mart of Spark is that of DuckDB")
        return admission, costs

    def _stage(self, stage: str, engine: Engine) -> Taken:
        environment = {"LANDING": str(self._landing), "DATA": str(self._data), "ENGINE": engine, **self._limits}
        taken = measure_stage(stage, {f"{PREFIX}{name}": value for name, value in environment.items()})
        _tell(f"{stage} on {engine}: {taken.wall:.1f} s, {taken.cpu:.1f} CPU s, {taken.peak / 1e6:,.0f} MB")
        slowest = sorted(taken.figures.get("models", {}).items(), key=lambda model: -model[1])[:8]
        if slowest:
            _tell("  slowest: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest))
        return taken


def main(
    sends: Annotated[list[int] | None, typer.Option(help="How many messages; may be given again.")] = None,
    memory_limit: Annotated[str, typer.Option(help="What either engine may use.")] = "4GB",
    threads: Annotated[int, typer.Option(min=1, help="Threads of either.")] = os.cpu_count() or 1,
) -> None:
    """Measure every stage after admission on both engines."""
    limits = {"MEMORY_LIMIT": memory_limit, "THREADS": str(threads)}
    tables = []
    for count in sends or [1_000_000, 10_000_000]:
        folder = Path(tempfile.mkdtemp(prefix="sendmart-engines-"))
        try:
            tables.append((count, *_Run(folder, count, limits).costs()))
        finally:
            shutil.rmtree(folder)
    for count, admission, costs in tables:
        typer.echo(f"\n{count:,} sends; admission {admission.wall:.0f} s, {admission.cpu:.0f} CPU s\n")
        typer.echo(_table(costs))


def _table(costs: dict[Engine, Costs]) -> str:
    lines = [
        "| Stage | DuckDB wall s | CPU s | peak MB | Spark wall s | CPU s | peak MB | Spark / DuckDB, CPU |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for stage in (*STAGES, "all"):
        taken = [_all(costs[engine]) if stage == "all" else costs[engine][stage] for engine in Engine]
        cells = [f"{one.wall:.1f} | {one.cpu:.1f} | {one.peak / 1e6:,.0f}" for one in taken]
        lines.append(f"| {stage} | {' | '.join(cells)} | {taken[1].cpu / taken[0].cpu:.1f} |")
    return "\n".join(lines)


def _all(costs: Costs) -> Taken:
    parts = costs.values()
    return Taken(sum(one.wall for one in parts), sum(one.cpu for one in parts), max(one.peak for one in parts))


def _tell(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    try:
        sys.exit(typer.run(main))
    except StageFailed as error:
        sys.exit(str(error))
