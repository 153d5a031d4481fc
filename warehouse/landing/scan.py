"""The landing zone: a scan for log files. The zone is a folder, or a prefix of an object store. Sendmart never writes to it.

Not here: the names of log files (`warehouse.landing.names`), the content of a file (`warehouse.ingest.readers`), which files
were loaded before (`warehouse.ledger`).
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from os import DirEntry
from pathlib import Path
from typing import TYPE_CHECKING

from models.enums import Log
from models.source_mapping import Source, SourceMapping
from warehouse.landing.names import log_date_of, log_named_like
from warehouse.storage import (
    AnyPath,
    FileStat,
    ObjectInfo,
    hash_of,
    head_object,
    is_object,
    list_objects,
    object_sha256,
)

if TYPE_CHECKING:
    from cloudpathlib import S3Path

Candidate = tuple[str, AnyPath | None, ObjectInfo | None]
"""A name relative to the landing zone; its path, None if it cannot be a log file; the metadata of an object."""


@dataclass(frozen=True, order=True)
class LandingFile:
    """A log file in the landing zone; `source_file`, its path within the log's folder, is its name in lake and ledger.

    The name of a file of a source is the source, a colon and its path within the landing zone.
    """

    log: Log
    log_date: date
    source_file: str
    path: AnyPath
    object_info: ObjectInfo | None = field(default=None, compare=False)
    """The metadata of an object as the scan listed it: only this version of the object is read."""
    source: Source | None = field(default=None, compare=False)
    """The source whose mapping gives the rows; None: the file is written in the contract of its log."""

    @property
    def path_in_landing(self) -> str:
        """The path below the landing zone."""
        return self.source_file.partition(":")[2] if self.source else f"{self.log}/{self.source_file}"

    @property
    def mapping_fingerprint(self) -> str:
        """The fingerprint of the source's mapping; empty for a file in the contract of its log."""
        return self.source.fingerprint if self.source else ""

    def stat(self) -> FileStat:
        """The current stat of a file on disk (FileNotFoundError if it is gone); the listed one of an object."""
        if is_object(self.path):
            return FileStat.of_object(self.object_info or head_object(self.path))
        return FileStat.of(self.path)

    def sha256(self) -> str:
        """The SHA-256 of the content; OSError if it cannot be read."""
        if is_object(self.path):
            return object_sha256(self.path)
        return hash_of(self.path)


@dataclass(frozen=True)
class LandingZone:
    """The result of a scan: log files in the order of log and date, and the names that are no log file's. `mappings`: those of
    the sources, whose folders may hold files.
    """

    files: tuple[LandingFile, ...]
    ignored: tuple[str, ...]
    mappings: tuple[SourceMapping, ...] = ()

    def files_of(self, log: Log) -> list[LandingFile]:
        return [file for file in self.files if file.log == log]


def scan(landing: AnyPath, *, follows_links: bool = False, sources: Iterable[Source] = ()) -> LandingZone:
    """Lists the landing zone: log files, and the files of sources, each once for every log that it feeds.

    A landing zone that does not exist counts as empty: other systems create it when they deliver.
    """
    files, ignored = [], []
    order = {str(log): position for position, log in enumerate(Log)}
    mapped = [(source, source.mapping) for source in sources if source.mapping]
    folders = frozenset(mapping.folder for _, mapping in mapped)
    for name, path, info in _objects(landing) if is_object(landing) else _files(landing, follows_links, folders):
        log, _, source_file = name.partition("/")
        if log in folders:
            of_sources = [
                LandingFile(of_log, day, f"{source.name}:{name}", path, info, source)
                for source, mapping in mapped
                if path is not None and name.isprintable() and (day := mapping.log_date(name))
                for of_log in mapping.logs
            ]
            files += of_sources
            if not of_sources:
                ignored.append(_printable(name))
            continue
        log_date = log_date_of(source_file) if log in order and source_file.isprintable() else None
        if path is None or log_date is None:
            ignored.append(_printable(name))
        else:
            files.append(LandingFile(Log(log), log_date, source_file, path, info))
    files.sort(key=lambda file: (order[file.log], file.log_date, file.source_file))
    return LandingZone(tuple(files), tuple(sorted(ignored)), tuple(mapping for _, mapping in mapped))


def beginnings(landing: AnyPath) -> Callable[[str], bool] | None:
    """Whether the name of a file or folder at the top of the landing zone begins with a name. None for an object store, whose
    listing has all names.
    """
    if is_object(landing):
        return None
    try:
        names = tuple(entry.name.lower() for entry in Path(landing).iterdir())
    except OSError:
        names = ()
    return lambda name: any(entry.startswith(name) for entry in names)


def _objects(landing: "S3Path") -> Iterator[Candidate]:
    for name, info in list_objects(landing).items():
        # The consoles of some stores create an object whose name ends in a slash for a folder.
        *folders, file_name = name.split("/")
        if file_name and not _is_being_written(file_name) and not any(map(_is_left_alone, folders)):
            yield name, landing / name, info


def _files(landing: Path, follows_links: bool, folders_of_sources: frozenset[str]) -> Iterator[Candidate]:
    root = os.path.realpath(landing)

    def walk(folder: str, name: str, parents: frozenset[str]) -> Iterator[Candidate]:
        """The files below a folder with this name, which lies in these folders."""
        entries = list(_entries(folder))
        # An empty folder is reported only if it has the name of a log file.
        if not entries and log_date_of(name.partition("/")[2]):
            yield name, None, None
        for entry in entries:
            entry_name = f"{name}/{entry.name}" if name else entry.name
            target = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if target != entry.path and not follows_links and not Path(target).is_relative_to(root):
                yield f"{entry_name}{_LEAVES}", None, None
            elif target not in parents and _has_type(entry, DirEntry.is_dir):
                if name or entry.name in folders_of_sources or log_named_like(entry.name):
                    yield from walk(entry.path, entry_name, parents | {target})
                else:
                    yield from _names_in_unknown_folder(entry)
            else:
                yield entry_name, Path(entry.path) if name and _has_type(entry, DirEntry.is_file) else None, None

    yield from walk(str(landing), "", frozenset([root]))


MAX_FILES_OF_UNKNOWN_FOLDER = 1_000


def _names_in_unknown_folder(folder: DirEntry[str]) -> Iterator[Candidate]:
    """The names of the files in a folder of neither a log nor a source, the first of very many; its own if it has none."""
    count = 0
    for path, folders, files in os.walk(folder.path):
        folders[:] = sorted(name for name in folders if not _is_left_alone(name))  # where the walk goes on
        for name in sorted(name for name in files if not _is_being_written(name)):
            if count == MAX_FILES_OF_UNKNOWN_FOLDER:
                yield f"{folder.name} (more than {count:,} files)", None, None
                return
            count += 1
            yield f"{folder.name}/{Path(path, name).relative_to(folder.path)}", None, None
    if not count:
        yield folder.name, None, None


_LEAVES = " (a link out of the landing zone; SENDMART_FOLLOW_LINKS allows it)"


def _entries(folder: str) -> Iterator[DirEntry[str]]:
    """The sorted entries of a folder, without those that their names mark as being written."""
    try:
        with os.scandir(folder) as entries:
            yield from sorted(
                (
                    entry
                    for entry in entries
                    if not _is_left_alone(entry.name)
                    and (not _is_being_written(entry.name) or _has_type(entry, DirEntry.is_dir))
                ),
                key=lambda entry: entry.name,
            )
    except FileNotFoundError:
        return


def _has_type(entry: DirEntry[str], is_type: Callable[[DirEntry[str]], bool]) -> bool:
    """Whether an entry is a folder or a regular file, after following links. A loop of links is neither."""
    try:
        return is_type(entry)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _is_left_alone(name: str) -> bool:
    """Whether the name of a file or a folder says that somebody works there."""
    return name.startswith((".", "_"))


def _is_being_written(name: str) -> bool:
    return _is_left_alone(name) or name.endswith((".tmp", ".part"))


def _printable(name: str) -> str:
    text = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
