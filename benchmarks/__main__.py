"""`python -m benchmarks`: measures the stages of a refresh beside the hand-written baseline and prints the figures."""

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import duckdb
import psutil
import typer

from benchmarks import harness, report
from benchmarks.compare import FiguresDiffer
from benchmarks.measure import StageFailed


def main(
    sends: Annotated[int, typer.Option(min=1, help="Number of sends, such as 1000000 or 10000000.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of history; the night comes after them.")] = 37,
    memory_limit: Annotated[str, typer.Option(help="DuckDB's memory limit, on both sides.")] = "2500MB",
    threads: Annotated[int, typer.Option(min=1, help="Threads, on both sides.")] = os.cpu_count() or 1,
    folder: Annotated[Path | None, typer.Option(help="Empty folder for the data; by default a temporary one.")] = None,
    keep: Annotated[bool, typer.Option(help="Do not delete the data afterwards.")] = False,
) -> None:
    """Measure a first refresh stage by stage, and one night after it, beside a hand-written baseline."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        typer.echo(f"{folder} is not empty: give an empty folder", err=True)
        raise typer.Exit(2)
    path = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="sendmart-benchmark-"))
    path.mkdir(parents=True, exist_ok=True)
    scale = harness.Scale(sends, days, memory_limit, threads)
    try:
        outcome = harness.run(scale, path, lambda line: typer.echo(line, err=True))
    except (FiguresDiffer, StageFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        if keep:
            typer.echo(f"the data is in {path}", err=True)
        else:
            shutil.rmtree(path)
    memory = psutil.virtual_memory().total / 2**30
    admitted = outcome.stages["admission"].cost.figures
    typer.echo(
        f"\n{admitted['accepted'] + admitted['rejected']:,} rows ({admitted['sends']:,} sends, {days} days,"
        f" {outcome.csv_bytes / 1e6:,.0f} MB csv.gz), {admitted['rejected']:,} quarantined; memory_limit {memory_limit},"
        f" {threads} threads; {os.cpu_count()} cores, {memory:.0f} GiB, DuckDB {duckdb.__version__},"
        f" Python {platform.python_version()}\n"
    )
    typer.echo(report.figures(outcome))
    typer.echo(f"\n{report.stages(outcome)}")
    typer.echo(f"\nslowest models of the full build: {report.slowest_models(outcome.stages['build'])}")
    typer.echo(f"slowest models of the night: {report.slowest_models(outcome.night['build'])}")


if __name__ == "__main__":
    typer.run(main)
