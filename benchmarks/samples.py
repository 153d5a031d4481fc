"""Sample logs in two parts: a history, and the files of the night after it, which are dropped later.

Not here: the contents of the logs (`sample_data`).
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

from models.enums import Log
from sample_data import write_sample

NIGHTS_TO_CHOOSE_FROM = 14
"""Days of a sample differ in size by more than ten times: the night is the day of these that is nearest to the mean."""


@dataclass(frozen=True)
class Sample:
    """A landing zone with `days` days of logs, and another one with the logs of the day after."""

    days: int
    landing: Path
    night: Path

    def csv_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.landing.glob("*/*"))

    def night_sends(self) -> int:
        """The rows of the night's sends, bad ones included."""
        (file,) = (self.night / Log.SENDS).iterdir()
        with gzip.open(file) as lines:
            return sum(1 for _ in lines) - 1

    def drop_night(self) -> None:
        """Moves the night's files into the landing zone."""
        for file in self.night.glob("*/*"):
            file.rename(self.landing / file.relative_to(self.night))


def write_history(folder: Path, sends: int, days: int) -> Sample:
    """Writes `days` days with about `sends` sends in total, and a night of about the mean size."""
    sample = Sample(days, folder / "landing", folder / "night")
    written = days + NIGHTS_TO_CHOOSE_FROM
    write_sample(sample.landing, sends=round(sends / days * written), days=written, file_format="csv.gz")
    sizes = {file.name: file.stat().st_size for file in (sample.landing / Log.SENDS).iterdir()}
    mean = sum(sizes.values()) / written
    dates = sorted(sizes)
    night = min(dates[days:], key=lambda date: abs(sizes[date] - mean))
    history = dates[dates.index(night) - days : dates.index(night)]
    for log in Log:
        (sample.night / log).mkdir(parents=True)
        for file in (sample.landing / log).iterdir():
            if file.name == night:
                file.rename(sample.night / log / night)
            elif file.name not in history:
                file.unlink()
    return sample
