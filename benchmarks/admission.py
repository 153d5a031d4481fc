"""`python -m benchmarks.admission`: the admission of one night in each format, beside an earlier release.

Each release admits the same files of our contract into an empty data folder, in a process of its own, in turn. The search
for key conflicts, which releases up to 0.3.0 do not have, is measured apart, too.

Not here: mapped files beside the contract (`sources`), admission beside the hand-written baseline (`harness`).
"""

import json
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.compare import FiguresDiffer
from benchmarks.earlier_release import LAST_OF_0_2, extract_release
from benchmarks.fixed import Release
from benchmarks.measure import Cost, measure_in_turn
from sample_data import write_sample
from warehouse.config import PROJECT

FORMATS = ("csv", "csv.gz", "jsonl", "parquet")


def _admit(release: Release, landing: Path) -> Cost:
    """Admits a landing zone into an empty data folder. The imports do not count."""
    shutil.rmtree(release.folder, ignore_errors=True)
    release.folder.mkdir()
    release.landing.symlink_to(landing)
    report = release.folder / "cost.json"
    release.run("-m", "benchmarks.stage", "admission", str(report))
    return Cost(**json.loads(report.read_text()))


def main(
    sends: Annotated[int, typer.Option(min=1, help="Number of sends; the other logs follow.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Number of admissions of each format.")] = 5,
    against: Annotated[str, typer.Option(help="The commit of the earlier release.")] = LAST_OF_0_2,
    only: Annotated[list[str] | None, typer.Option(help=f"Some formats only: {', '.join(FORMATS)}.")] = None,
) -> None:
    """Measure admission with both releases and print a table: medians of CPU seconds, and of their ratio in a round."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-admission-"))
    lines = [
        "| format | rows | before, CPU s | now, CPU s | CPU ratio | range | without key conflicts |",
        "|---|--:|--:|--:|--:|---|--:|",
    ]
    try:
        earlier = Release(extract_release(against, folder / "earlier-program"), folder / "earlier")
        current = Release(PROJECT, folder / "current")
        for file_format in only or FORMATS:
            landing = folder / file_format
            write_sample(landing, sends=sends, days=1, file_format=file_format)
            costs = measure_in_turn(rounds, (earlier, current), lambda release, files=landing: _admit(release, files))
            before, now = costs[earlier], costs[current]
            counts = {(cost.figures["accepted"], cost.figures["rejected"]) for cost in (*before, *now)}
            if len(counts) > 1:
                raise FiguresDiffer(f"{file_format}: accepted and rejected rows differ: {sorted(counts)}")
            without = [
                (new.cpu - new.figures["key_conflicts_cpu"]) / old.cpu for old, new in zip(before, now, strict=True)
            ]
            ratios = sorted(new.cpu / old.cpu for old, new in zip(before, now, strict=True))
            seconds = [median(cost.cpu for cost in costs_of_one) for costs_of_one in (before, now)]
            lines.append(
                f"| {file_format} | {sum(counts.pop()):,} | {seconds[0]:.2f} | {seconds[1]:.2f} | {median(ratios):.2f}"
                f" | {ratios[0]:.2f} to {ratios[-1]:.2f} | {median(without):.2f} |"
            )
            typer.echo(lines[-1], err=True)
        typer.echo("\n".join(lines))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
