"""Whether the files of lake and quarantine are still what was written, and what can be done where they are not.

Sizes are looked at in every refresh, which costs a `stat` each; checksums before a build in full, after a build that
failed, and with `--verify`. What was not noted, by a release before there were checksums, is held to its number of rows.

Not here: taking a damaged file's rows from the landing zone again (`orchestration.stages`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.vocabulary import Log
from warehouse import lake
from warehouse.contents import Content
from warehouse.ledger import IN_FLIGHT, Ledger, LoadedFile
from warehouse.paths import DataPaths, remove

log = logging.getLogger("sendmart")

MOST_NAMED = 20


@dataclass(frozen=True)
class DamagedFile:
    """A file of lake or quarantine that is not what was written; `place` within the data folder, and what was found."""

    log: Log
    log_date: date
    source_file: str
    place: Path
    found: str

    def __str__(self) -> str:
        return f"{self.place} (of {self.log}/{self.source_file}, log date {self.log_date}) {self.found}"


class LakeDamaged(Exception):
    """Files of the lake are damaged, and what they held is not to be had from the landing zone."""

    def __init__(self, files: Iterable[DamagedFile]) -> None:
        self.files = list(files)
        named = "; ".join(str(file) for file in self.files[:MOST_NAMED])
        more = f"; and {len(self.files) - MOST_NAMED} more" if len(self.files) > MOST_NAMED else ""
        super().__init__(named + more)


def damaged(paths: DataPaths, ledger: Ledger, of_log: Log | None = None, *, contents: bool) -> list[DamagedFile]:
    """The files that are gone or have another size; with `contents`, also those that hold other bytes."""
    noted = ledger.contents()
    found = []
    for file, place, rows in _places(ledger, of_log):
        fault = _fault(paths.data / place, noted.get(place), rows, contents)
        if fault:
            found.append(DamagedFile(file.log, file.log_date, file.source_file, place, fault))
    return found


def _places(ledger: Ledger, of_log: Log | None) -> Iterable[tuple[LoadedFile, Path, int]]:
    """The files that must be there, by what was taken, and how many rows are in each."""
    for file in ledger.files(of_log):
        # A file that is being taken may hold the old or the new: it is taken again.
        if file.sha256 != IN_FLIGHT:
            for root, rows in (("lake", file.accepted), ("quarantine", file.rejected)):
                if rows:
                    yield file, lake.place(Path(root), file), rows


def _fault(path: Path, noted: Content | None, rows: int, contents: bool) -> str | None:
    try:
        size = path.stat().st_size
        if noted is not None and size != noted.size:
            return f"has {size:,} bytes, and {noted.size:,} were written"
        if contents and noted is not None and Content.of(path) != noted:
            return "holds other bytes than were written: its SHA-256 is another"
        if contents and noted is None and _rows(path) != rows:
            return f"does not hold the {rows:,} rows that were written"
    except FileNotFoundError:
        return "is not there"
    return None


def _rows(path: Path) -> int | None:
    """How many rows a file holds, all of it read; None where it cannot be."""
    try:
        with pq.ParquetFile(path) as file:
            return sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError):
        return None


def note_unknown(paths: DataPaths, ledger: Ledger, of_log: Log) -> None:
    """Notes what files hold of which nothing was noted so far, and that were found to be whole."""
    noted = ledger.contents()
    unknown = [place for _, place, _ in _places(ledger, of_log) if place not in noted and (paths.data / place).exists()]
    if unknown:
        ledger.note_contents({place: Content.of(paths.data / place) for place in unknown})


def is_as_written(paths: DataPaths, noted: dict[Path, Content], place: Path) -> bool:
    """Whether a file of the lake holds what was noted of it, if anything was."""
    content = noted.get(place)
    return content is None or Content.of(paths.data / place) == content


def take_away(paths: DataPaths, ledger: Ledger, files: Iterable[DamagedFile]) -> None:
    """Removes damaged files that are about to be written anew. Nobody knows which keys they held: the next build is in
    full.
    """
    for file in files:
        log.warning("%s; it is taken from the landing zone again", file)
        if file.place.parts[0] == "lake":
            ledger.forget_built_from(ledger.built_from())
        remove(paths.data / file.place)
