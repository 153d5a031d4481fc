"""`python -m benchmarks.load_workers`: admission by several worker processes beside one, of the same files.

Both are measured in turn, so that other work on the machine falls on both. They must leave the same lake.

Not here: admission beside the hand-written baseline (`harness`).
"""

import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.compare import FiguresDiffer
from benchmarks.measure import Cost, measure_in_turn, measure_stage, settings_variables
from sample_data import write_sample
from warehouse.storage import hash_of


def _lake_hashes(data: Path) -> dict[str, str]:
    return {file.relative_to(data).as_posix(): hash_of(file) for file in (data / "lake").rglob("*.parquet")}


def _with_range(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(
    sends: Annotated[int, typer.Option(min=1, help="Number of sends; the other logs follow.")] = 2_500_000,
    days: Annotated[int, typer.Option(min=1)] = 30,
    workers: Annotated[int, typer.Option(min=2, help="Number of workers that is measured beside one.")] = 2,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Measure admission by several workers beside one, and print ratios."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-load-workers-"))
    lakes: list[dict[str, str]] = []
    try:
        landing = folder / "landing"
        write_sample(landing, sends=sends, days=days, file_format="csv.gz")

        def admit(load_workers: int) -> Cost:
            data, load = folder / f"data-{load_workers}", os.getloadavg()[0]
            cost = measure_stage("admission", settings_variables(landing, data, load_workers=load_workers))
            typer.echo(f"{load_workers} workers: {cost}; load average before {load:.1f}", err=True)
            lakes.append(_lake_hashes(data))
            shutil.rmtree(data)
            return cost

        costs = measure_in_turn(rounds, (1, workers), admit)
        if any(lake != lakes[0] for lake in lakes):
            raise FiguresDiffer("one worker and several leave different files in the lake")
    finally:
        shutil.rmtree(folder)
    rows = sum(costs[1][0].figures[name] for name in ("accepted", "rejected"))
    typer.echo(f"{rows:,} rows on {days} days; {rounds} rounds, median and range of {workers} workers to one:")
    typer.echo("| wall | CPU | memory |\n|--:|--:|--:|")
    pairs = list(zip(costs[1], costs[workers], strict=True))
    ratios = [
        [getattr(several, name) / getattr(single, name) for single, several in pairs]
        for name in ("wall", "cpu", "peak")
    ]
    typer.echo("| " + " | ".join(map(_with_range, ratios)) + " |")


if __name__ == "__main__":
    typer.run(main)
