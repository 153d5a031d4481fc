"""`python -m benchmarks`: measures whole refreshes beside the hand-written baseline and prints the figures."""

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
    insights: Annotated[bool, typer.Option(help="Build the insights, too, on both sides.")] = False,
    large_sends: Annotated[int, typer.Option(min=0, help="Sends of a second history on as many days.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Empty folder for the data; by default a temporary one.")] = None,
    keep: Annotated[bool, typer.Option(help="Do not delete the data if a step fails.")] = False,
) -> None:
    """Measure a first refresh and a night after it, all told, beside a hand-written baseline."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        typer.echo(f"{folder} is not empty: give an empty folder", err=True)
        raise typer.Exit(2)
    path = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="sendmart-benchmark-"))
    path.mkdir(parents=True, exist_ok=True)
    scale = harness.Scale(sends, days, insights, large_sends)
    is_finished = False
    try:
        outcome = harness.run(scale, path, lambda line: typer.echo(line, err=True))
        is_finished = True
    except (FiguresDiffer, StageFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        if keep and not is_finished:
            typer.echo(f"the data is in {path}", err=True)
        else:
            shutil.rmtree(path)
    memory = psutil.virtual_memory().total / 2**30
    typer.echo(
        f"\n{outcome.rows:,} rows ({outcome.sends:,} sends, {days} days, {outcome.csv_bytes / 1e6:,.0f} MB csv.gz),"
        f" {'with' if insights else 'without'} the insights; default settings; {os.cpu_count()} cores, {memory:.0f} GiB,"
        f" DuckDB {duckdb.__version__}, Python {platform.python_version()}. Other processes took"
        f" {outcome.share_of_others:.0%} of the CPU time that the measured ones took.\n"
    )
    typer.echo(report.figures(outcome))
    typer.echo(f"\n{report.parts(outcome)}")


if __name__ == "__main__":
    typer.run(main)
