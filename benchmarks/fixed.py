"""`python -m benchmarks.fixed`: the cost of a run that does not depend on the data, beside an earlier release.

Measured are a refresh with nothing new, a night of one small day, and loading the code location. Each runs in a process of
its own, the two releases in turn, so that other work on the machine falls on both.

Not here: costs that grow with the data (`harness`, `nights`).
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.earlier_release import LAST_OF_0_2, RUN, extract_release
from benchmarks.measure import Cost, cheapest, measure, measure_in_turn, settings_variables
from models.enums import Log
from sample_data import write_sample
from warehouse.config import PROJECT

HISTORY_DAYS = 10
SENDS_A_DAY = 100


@dataclass(frozen=True)
class Release:
    """A release of Sendmart, with a landing zone and a data folder of its own."""

    program: Path
    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def run(self, *command: str) -> Cost:
        """Runs Python with this release."""
        environment = settings_variables(self.landing, self.folder / "data") | {
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "PYTHONPATH": str(self.program),
        }
        return measure([sys.executable, *command], environment, cwd=self.program)

    def refresh(self) -> Cost:
        return self.run("-c", RUN, "refresh")

    def load_code_location(self) -> Cost:
        return self.run("-m", "dagster", "definitions", "validate", "-m", "orchestration.definitions")

    def drop(self, file_names: list[str], sample: Path) -> None:
        """Copies the sample's files with these names into the landing zone."""
        for log in Log:
            for name in file_names:
                if (sample / log / name).exists():
                    (self.landing / log).mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(sample / log / name, self.landing / log / name)


def _prepare(program: Path, folder: Path) -> Release:
    release = Release(program, folder)
    (folder / "dagster").mkdir(parents=True)
    shutil.copyfile(program / "dagster.yaml", folder / "dagster" / "dagster.yaml")
    return release


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Number of measurements of each; the cheapest counts.")] = 3,
    against: Annotated[str, typer.Option(help="The commit of the earlier release.")] = LAST_OF_0_2,
) -> None:
    """Measure the fixed costs of both releases and print a table."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-fixed-"))
    try:
        sample = folder / "sample"
        days = HISTORY_DAYS + rounds
        write_sample(sample, sends=days * SENDS_A_DAY, days=days, file_format="csv.gz")
        file_names = sorted({file.name for file in sample.glob("*/*")})
        earlier = _prepare(extract_release(against, folder / "earlier-program"), folder / "earlier")
        current = _prepare(PROJECT, folder / "current")
        for release in (earlier, current):
            release.drop(file_names[:-rounds], sample)
            release.refresh()
            release.refresh()
        nights = {release: iter(file_names[-rounds:]) for release in (earlier, current)}

        def night(release: Release) -> Cost:
            release.drop([next(nights[release])], sample)
            return release.refresh()

        measured: dict[str, Callable[[Release], Cost]] = {
            "refresh with nothing new": Release.refresh,
            f"night of {SENDS_A_DAY} sends": night,
            "loading the code location": Release.load_code_location,
        }
        lines = ["| what | before, wall s | CPU s | now, wall s | CPU s | CPU ratio |", "|---|--:|--:|--:|--:|--:|"]
        for name, run in measured.items():
            costs = measure_in_turn(rounds, (earlier, current), run)
            for release, release_costs in costs.items():
                cpu = ", ".join(f"{cost.cpu:.2f}" for cost in release_costs)
                typer.echo(f"{name}, {release.folder.name}: {cpu} CPU s", err=True)
            old, new = cheapest(costs[earlier]), cheapest(costs[current])
            lines.append(
                f"| {name} | {old.wall:.1f} | {old.cpu:.2f} | {new.wall:.1f} | {new.cpu:.2f} | {new.cpu / old.cpu:.2f} |"
            )
        typer.echo("\n".join(lines))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
