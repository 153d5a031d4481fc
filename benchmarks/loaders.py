"""`python -m benchmarks.loaders`: admission by one process, and by several, of the same files in the same minutes.

In turn, each first in every other round: what the machine does besides falls on both. They must leave the same lake.

Not here: admission beside the hand-written baseline (`harness`).
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.harness import FiguresDiffer
from benchmarks.measure import Taken, measure_stage
from sample_data import write_sample
from warehouse.config.settings import PREFIX
from warehouse.storage.checksums import hash_of


def _admitted(landing: Path, data: Path, loaders: int) -> Taken:
    environment = {f"{PREFIX}LANDING": str(landing), f"{PREFIX}DATA": str(data), f"{PREFIX}LOAD_WORKERS": str(loaders)}
    at_work = os.getloadavg()[0]
    taken = measure_stage("admission", environment)
    typer.echo(
        f"{loaders} loaders: {taken.wall:.1f} s, {taken.cpu:.1f} CPU s, {taken.peak / 1e6:,.0f} MB;"
        f" {at_work:.1f} at work on the machine before",
        err=True,
    )
    return taken


def _lake_of(data: Path) -> dict[str, str]:
    return {file.relative_to(data).as_posix(): hash_of(file) for file in (data / "lake").rglob("*.parquet")}


def _with_range(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(
    sends: Annotated[int, typer.Option(min=1, help="With about as many receipts, and the other logs.")] = 2_500_000,
    days: Annotated[int, typer.Option(min=1)] = 30,
    loaders: Annotated[int, typer.Option(min=2, help="How many, beside one.")] = 2,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Measure admission by several loaders beside one, and print ratios."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-loaders-"))
    taken: dict[int, list[Taken]] = {1: [], loaders: []}
    lakes = []
    try:
        landing = folder / "landing"
        write_sample(landing, sends=sends, days=days, file_format="csv.gz")
        for number in range(rounds):
            for several in (1, loaders) if number % 2 == 0 else (loaders, 1):
                data = folder / f"data-{several}"
                taken[several].append(_admitted(landing, data, several))
                lakes.append(_lake_of(data))
                shutil.rmtree(data)
        if any(lake != lakes[0] for lake in lakes):
            raise FiguresDiffer("one loader and several leave different files in the lake")
    finally:
        shutil.rmtree(folder)
    rows = sum(taken[1][0].figures[rows] for rows in ("accepted", "rejected"))
    both = list(zip(taken[1], taken[loaders], strict=True))
    typer.echo(f"{rows:,} rows on {days} days; {rounds} rounds, median and range of {loaders} loaders to one:")
    typer.echo("| wall | CPU | memory |\n|--:|--:|--:|")
    ratios = [
        [getattr(several, what) / getattr(one, what) for one, several in both] for what in ("wall", "cpu", "peak")
    ]
    typer.echo("| " + " | ".join(map(_with_range, ratios)) + " |")


if __name__ == "__main__":
    sys.exit(typer.run(main))
