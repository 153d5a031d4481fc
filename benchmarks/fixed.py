"""`python -m benchmarks.fixed`: what a run costs whatever the data, beside an older version of Sendmart in the same minutes.

A refresh that finds nothing new, a night of one small day, and loading the code location, each in processes of their own,
the two versions in turn: what the machine does besides falls on both.

Not here: what grows with the data (`harness`, `nights`).
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import Taken, measure
from benchmarks.older import LAST_OF_0_1, RUN, put_older_version
from models.enums import Log
from sample_data import write_sample
from warehouse.config.settings import PREFIX, PROJECT

HISTORY_DAYS = 10
SENDS_A_DAY = 100


@dataclass(frozen=True)
class Version:
    """A version of Sendmart, with a landing zone and a data folder of its own."""

    program: Path
    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def run(self, *command: str) -> Taken:
        """Runs Python in this version's folder."""
        environment = {
            f"{PREFIX}LANDING": str(self.landing),
            f"{PREFIX}DATA": str(self.folder / "data"),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "PYTHONPATH": str(self.program),
        }
        return measure([sys.executable, *command], environment, cwd=self.program)

    def refresh(self) -> Taken:
        return self.run("-c", RUN, "refresh")

    def load(self) -> Taken:
        return self.run("-m", "dagster", "definitions", "validate", "-m", "orchestration.definitions")


def _version(program: Path, folder: Path) -> Version:
    version = Version(program, folder)
    (folder / "dagster").mkdir(parents=True)
    shutil.copyfile(program / "dagster.yaml", folder / "dagster" / "dagster.yaml")
    return version


def _drop(days: list[str], sample: Path, version: Version) -> None:
    """The files of these days arrive."""
    for log in Log:
        for day in days:
            if (sample / log / day).exists():
                (version.landing / log).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample / log / day, version.landing / log / day)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured; the cheapest counts.")] = 3,
    against: Annotated[str, typer.Option(help="The commit of the older version.")] = LAST_OF_0_1,
) -> None:
    """Measure what is fixed, beside an older version, and print a table."""
    path = Path(tempfile.mkdtemp(prefix="sendmart-fixed-"))
    try:
        sample = path / "sample"
        days = HISTORY_DAYS + rounds
        write_sample(sample, sends=days * SENDS_A_DAY, days=days, file_format="csv.gz")
        names = sorted({file.name for file in sample.glob("*/*")})
        before = _version(put_older_version(against, path / "older"), path / "before")
        now = _version(PROJECT, path / "now")
        for version in (before, now):
            _drop(names[:-rounds], sample, version)
            version.refresh()
            version.refresh()
        nights = dict.fromkeys((before, now), 0)

        def night(version: Version) -> Taken:
            _drop([names[nights[version] - rounds]], sample, version)
            nights[version] += 1
            return version.refresh()

        measured: dict[str, Callable[[Version], Taken]] = {
            "refresh with nothing new": Version.refresh,
            f"night of {SENDS_A_DAY} sends": night,
            "loading the code location": Version.load,
        }
        lines = ["| what | before, wall s | CPU s | now, wall s | CPU s | CPU ratio |", "|---|--:|--:|--:|--:|--:|"]
        for what, of in measured.items():
            # In turn, each first in every other round.
            taken: dict[Version, list[Taken]] = {before: [], now: []}
            for number in range(rounds):
                for version in (before, now) if number % 2 == 0 else (now, before):
                    taken[version].append(of(version))
                    typer.echo(f"{what}, {version.folder.name}: {taken[version][-1].cpu:.2f} CPU s", err=True)
            cheapest = {version: min(all_of, key=lambda one: one.cpu) for version, all_of in taken.items()}
            old, new = cheapest[before], cheapest[now]
            lines.append(
                f"| {what} | {old.wall:.1f} | {old.cpu:.2f} | {new.wall:.1f} | {new.cpu:.2f} | {new.cpu / old.cpu:.2f} |"
            )
        typer.echo("\n".join(lines))
    finally:
        shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(typer.run(main))
