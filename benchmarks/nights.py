"""`python -m benchmarks.nights`: what a night costs after many nights, and how large the build has become.

Incremental builds delete and insert: tables lose their order of time, and their files grow. Here nights follow one another
in one process, each with the admission of a day and the build after it. Then everything is built in full, and further nights
are measured: the difference is what compaction could gain.

Not here: one night beside the baseline (`harness`).
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from sample_data import write_sample
from warehouse.config.settings import PREFIX, load_settings

IN_A_ROW = 5
"""The median of so many nights is printed: days differ in size by more than ten times."""


@dataclass(frozen=True)
class Night:
    """One night: its sends, the CPU seconds of its build, and the size of the candidate's files after it."""

    sends: int
    cpu: float
    build_bytes: int
    candidate_bytes: int


class _ArrivingDays:
    """A data folder, and days of logs that arrive one after another."""

    def __init__(self, folder: Path, sends: int, days: int) -> None:
        self._landing, self._later = folder / "landing", folder / "later"
        write_sample(self._later, sends=sends, days=days, file_format="csv.gz")
        self._dates = sorted(file.name for file in (self._later / Log.SENDS).iterdir())
        os.environ |= {f"{PREFIX}LANDING": str(self._landing), f"{PREFIX}DATA": str(folder / "data")}
        self._context = AppContext.of(load_settings())

    def drop(self, days: int) -> None:
        """Moves the files of the next days into the landing zone."""
        for _ in range(days):
            date = self._dates.pop(0)
            for log in Log:
                if (self._later / log / date).exists():
                    (self._landing / log).mkdir(parents=True, exist_ok=True)
                    (self._later / log / date).rename(self._landing / log / date)

    def build(self, *, full_refresh: bool = False) -> Night:
        """Loads the files that have arrived, and measures the build."""
        loaded = [file for log in Log for file in stages.load_changed(self._context, log)]
        before = _cpu()
        stages.build_candidate(self._context, full_refresh=full_refresh)
        paths = self._context.paths
        return Night(
            sends=sum(file.accepted for file in loaded if file.log == Log.SENDS),
            cpu=_cpu() - before,
            build_bytes=paths.build.stat().st_size,
            candidate_bytes=paths.candidate.stat().st_size,
        )


def _cpu() -> float:
    return sum(os.times()[:2])


def main(
    sends: Annotated[int, typer.Option(help="Number of sends in total, nights included.")] = 2_000_000,
    history: Annotated[int, typer.Option(help="Days before the first night.")] = 30,
    nights: Annotated[int, typer.Option(help="Number of nights.")] = 100,
) -> None:
    """Measure many nights, then a full build and the nights after it."""
    folder = Path(tempfile.mkdtemp(prefix="sendmart-nights-"))
    try:
        nights_to_come = _ArrivingDays(folder, sends, history + nights + IN_A_ROW)
        nights_to_come.drop(history)
        first = nights_to_come.build()
        typer.echo(f"after {history} days: {_sizes(first)}")
        measured: list[Night] = []
        for number in range(1, nights + 1):
            nights_to_come.drop(1)
            measured.append(nights_to_come.build())
            if number % (2 * IN_A_ROW) == 0 or number == IN_A_ROW:
                typer.echo(f"after night {number}: {_medians(measured[-IN_A_ROW:])}")
        typer.echo(f"built in full: {_sizes(nights_to_come.build(full_refresh=True))}")
        after = []
        for _ in range(IN_A_ROW):
            nights_to_come.drop(1)
            after.append(nights_to_come.build())
        typer.echo(f"{IN_A_ROW} nights later: {_medians(after)}")
    finally:
        shutil.rmtree(folder)


def _medians(nights: list[Night]) -> str:
    cpu = median(night.cpu for night in nights)
    sends = median(night.sends for night in nights)
    return f"{cpu:.2f} CPU s a night of {sends:,.0f} sends, {_sizes(nights[-1])}"


def _sizes(night: Night) -> str:
    return f"build {night.build_bytes / 1e6:,.0f} MB, candidate {night.candidate_bytes / 1e6:,.0f} MB"


if __name__ == "__main__":
    typer.run(main)
