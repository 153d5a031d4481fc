"""Snapshots: the files of the lake that the ledger names, at one moment, in a folder of their own, which no refresh changes.

The files are hard links, since a refresh replaces a file and never writes to it; or copies, where there are no hard links, and
of objects in a store. A log file that is being loaded, or whose load was killed, has the rows of its previous version.

Not here: what is built from a snapshot (`warehouse.transform.snapshot_build`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from warehouse.config import DataPaths
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import DamagedFile, LakeDamaged
from warehouse.ledger import IN_FLIGHT, Change, Erased, Ledger, LoadedFile
from warehouse.storage import Checksum, fetch, is_object, link_or_copy


class ErasureUnfinished(Exception):
    """A contact is being erased, or the erasure was killed: files of the lake may still hold it."""


@dataclass(frozen=True)
class _State:
    """What the ledger says about the lake: two equal states have the same files, with the same content."""

    files: tuple[LoadedFile, ...]
    changes: tuple[Change, ...]
    erased: tuple[Erased, ...]
    checksums: Mapping[Path, Checksum]

    @classmethod
    def of(cls, ledger: Ledger) -> "_State":
        files, changes = tuple(ledger.files()), tuple(ledger.open_changes())
        state = cls(files, changes, tuple(ledger.erased()), ledger.checksums())
        if ledger.is_erasing():
            raise ErasureUnfinished("the erasure of a contact is not finished")
        return state


@dataclass(frozen=True)
class Snapshot:
    """A lake of its own, in the folder `lake`, with the rows of these log files."""

    lake: Path
    files: tuple[LoadedFile, ...]
    erased: tuple[Erased, ...]

    @property
    def data_until(self) -> date | None:
        """The latest log date with a row."""
        return max((file.log_date for file in self.files), default=None)

    def check_erasures(self, ledger: Ledger) -> None:
        """Raises ErasureUnfinished if a contact was erased since: the snapshot still holds it."""
        if ledger.is_erasing() or tuple(ledger.erased()) != self.erased:
            raise ErasureUnfinished("a contact was erased meanwhile")


def take_snapshot(paths: DataPaths, ledger: Ledger, lake: Path, *, until: date | None = None) -> Snapshot:
    """Links the files of the lake, of log dates up to `until` or all, into the empty folder `lake`.

    Raises:
        LakeDamaged: a file is missing, or is not the one that was written.
        ErasureUnfinished: a contact is being erased.
    """
    linked: dict[Path, _Source] = {}
    missing: list[DamagedFile] = []
    state = _State.of(ledger)
    while True:
        sources = {source.path: source for source in _sources(state, until)}
        outdated = [path for path, source in linked.items() if sources.get(path) != source]
        for path in outdated:
            (lake / path).unlink()
            del linked[path]
        missing = []
        for path, source in sources.items():
            if path not in linked:
                try:
                    _link(paths, source, lake / path)
                    linked[path] = source
                except FileNotFoundError:
                    if source.file.sha256 != IN_FLIGHT:
                        missing.append(source.damaged("is missing"))
        # A load may have replaced files meanwhile: these are linked again.
        if (now := _State.of(ledger)) == state:
            break
        state = now
    if damaged := missing or _find_damaged(state, lake, sources.values()):
        raise LakeDamaged(damaged)
    lake_tables.ensure_lake(DataPaths(lake.parent, lake_override=lake))
    return Snapshot(lake, tuple(source.file for source in sources.values()), state.erased)


@dataclass(frozen=True)
class _Source:
    """A file of the lake to link: the log file, its path in the lake, the previous version if that is to be taken."""

    file: LoadedFile
    path: Path
    change: Change | None

    def damaged(self, problem: str) -> DamagedFile:
        return DamagedFile(self.file.log, self.file.log_date, self.file.source_file, Path("lake") / self.path, problem)


def _sources(state: _State, until: date | None) -> Iterable[_Source]:
    last_changes = {change.path: change for change in state.changes}
    for file in state.files:
        path = lake_tables.path_of(Path(), file)
        change = last_changes.get(str(path)) if file.sha256 == IN_FLIGHT else None
        is_in_lake = file.accepted > 0 and (change is None or change.replaced is not None)
        if is_in_lake and (until is None or file.log_date <= until):
            yield _Source(file, path, change)


def _link(paths: DataPaths, source: _Source, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.change and source.change.replaced:
        link_or_copy(paths.changes / source.change.replaced, to)
        return
    file = paths.lake / source.path
    if is_object(file):
        fetch(file, to)
    else:
        link_or_copy(file, to)


def _find_damaged(state: _State, lake: Path, sources: Iterable[_Source]) -> list[DamagedFile]:
    problem = "has another size or SHA-256 than the file that was written"
    return [
        source.damaged(problem)
        for source in sources
        if (checksum := state.checksums.get(Path("lake") / source.path)) and Checksum.of(lake / source.path) != checksum
    ]
