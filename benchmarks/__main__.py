"""`python -m benchmarks`: measures the stages of a refresh beside the hand-written baseline and prints one table."""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import duckdb
import psutil
import typer

from benchmarks import harness
from benchmarks.measure import StageFailed


def main(
    sends: Annotated[int, typer.Option(min=1, help="How many messages were sent: 1000000, or 10000000.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Over how many days.")] = 30,
    memory_limit: Annotated[str, typer.Option(help="What DuckDB may use, on both sides.")] = "2500MB",
    threads: Annotated[int, typer.Option(min=1, help="Threads, on both sides.")] = os.cpu_count() or 1,
    folder: Annotated[Path | None, typer.Option(help="Where the data goes; by default a temporary folder.")] = None,
    keep: Annotated[bool, typer.Option(help="Do not delete the data afterwards.")] = False,
) -> None:
    """Measure admission, build, tests, audit, publication and export beside a hand-written DuckDB script."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        typer.echo(f"{folder} is not empty: give a folder of its own", err=True)
        raise typer.Exit(2)
    place = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="sendmart-benchmark-"))
    place.mkdir(parents=True, exist_ok=True)
    scale = harness.Scale(sends, days, memory_limit, threads)
    try:
        outcome = harness.run(scale, place, lambda line: typer.echo(line, err=True))
    except (harness.FiguresDiffer, StageFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        if keep:
            typer.echo(f"the data is in {place}", err=True)
        else:
            shutil.rmtree(place)
    memory = psutil.virtual_memory().total / 2**30
    typer.echo(
        f"\n{outcome.rows:,} rows ({sends:,} sends, {days} days, {outcome.csv_bytes / 1e6:,.0f} MB csv.gz),"
        f" {outcome.rejected:,} quarantined; memory_limit {memory_limit}, {threads} threads;"
        f" {os.cpu_count()} cores, {memory:.0f} GiB, DuckDB {duckdb.__version__},"
        f" Python {platform.python_version()}\n"
    )
    typer.echo(harness.table(outcome))
    typer.echo(f"\nslowest models: {harness.slowest_models(outcome)}")


if __name__ == "__main__":
    sys.exit(typer.run(main))
