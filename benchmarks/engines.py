"""`python -m benchmarks.engines`: the same sends on DuckDB and on Spark, stage by stage, and how the cost grows.

For each number of sends, the logs are admitted once into a data folder of their own. Then both engines build, test, audit,
publish and export from the same lake, DuckDB first. Spark runs on this machine. The marts of both must be equal.

Not here: a real cluster; `docs/scaling.md` estimates its cost from these figures.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare import FiguresDiffer, mart_differences
from benchmarks.measure import Cost, StageFailed, measure_stage, settings_variables, total
from benchmarks.samples import write_history
from benchmarks.stage import STAGES
from warehouse.config import DataPaths, Engine, Settings

ENGINE_STAGES = STAGES[1:]
SENDS_A_DAY = 27_000
SLOWEST = 8

Costs = dict[str, Cost]


class _Run:
    """One number of sends, on both engines."""

    def __init__(self, folder: Path, sends: int, memory_limit: str, threads: int) -> None:
        self._data, self._memory_limit, self._threads = folder / "data", memory_limit, threads
        days = max(7, sends // SENDS_A_DAY)
        _log(f"writing sample logs: {sends:,} sends on {days} days")
        self._landing = write_history(folder, sends, days).landing

    def costs(self) -> tuple[Cost, dict[Engine, Costs]]:
        """The cost of admission, and of each stage on each engine.

        Raises:
            StageFailed: a stage did not work.
            FiguresDiffer: the marts of the engines differ.
        """
        admission = self._stage("admission", Engine.DUCKDB)
        costs = {}
        for engine in Engine:
            costs[engine] = {stage: self._stage(stage, engine) for stage in ENGINE_STAGES}
            shutil.copyfile(DataPaths(self._data).published_marts, self._data / f"{engine}.duckdb")
        settings = Settings(memory_limit=self._memory_limit, threads=self._threads)
        files = [self._data / f"{engine}.duckdb" for engine in (Engine.DUCKDB, Engine.SPARK)]
        if differing := mart_differences(settings, *files):
            raise FiguresDiffer("\n".join(differing))
        _log("the marts of Spark equal those of DuckDB")
        return admission, costs

    def _stage(self, stage: str, engine: Engine) -> Cost:
        limits = {"memory_limit": self._memory_limit, "threads": self._threads}
        cost = measure_stage(stage, settings_variables(self._landing, self._data, engine=engine, **limits))
        _log(f"{stage} on {engine}: {cost}")
        slowest = sorted(cost.figures.get("models", {}).items(), key=lambda model: -model[1])[:SLOWEST]
        if slowest:
            _log("  slowest: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest))
        return cost


def main(
    sends: Annotated[list[int] | None, typer.Option(help="Number of sends; repeat the option for several.")] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory limit of each engine.")] = "4GB",
    threads: Annotated[int, typer.Option(min=1, help="Threads of each engine.")] = os.cpu_count() or 1,
) -> None:
    """Measure every stage after admission on both engines."""
    results = []
    for count in sends or [1_000_000, 10_000_000]:
        folder = Path(tempfile.mkdtemp(prefix="sendmart-engines-"))
        try:
            results.append((count, *_Run(folder, count, memory_limit, threads).costs()))
        except (FiguresDiffer, StageFailed) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        finally:
            shutil.rmtree(folder)
    for count, admission, costs in results:
        typer.echo(f"\n{count:,} sends; admission {admission.wall:.0f} s, {admission.cpu:.0f} CPU s\n")
        typer.echo(_table(costs))


def _table(costs: dict[Engine, Costs]) -> str:
    lines = [
        "| Stage | DuckDB wall s | CPU s | peak MB | Spark wall s | CPU s | peak MB | Spark / DuckDB, CPU |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for stage in (*ENGINE_STAGES, "all"):
        duckdb, spark = (
            total(costs[engine].values()) if stage == "all" else costs[engine][stage]
            for engine in (Engine.DUCKDB, Engine.SPARK)
        )
        cells = [f"{cost.wall:.1f} | {cost.cpu:.1f} | {cost.peak / 1e6:,.0f}" for cost in (duckdb, spark)]
        lines.append(f"| {stage} | {' | '.join(cells)} | {spark.cpu / duckdb.cpu:.1f} |")
    return "\n".join(lines)


def _log(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    typer.run(main)
