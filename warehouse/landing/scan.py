"""The landing zone: a scan for log files.

A file is named `<log>/<date>.<ext>`, `<log>/<date>.<part>.<ext>` or `<log>/<date>/<any name>.<ext>`. The zone is a folder,
or a prefix of an object store. Sendmart never writes to it.

Not here: the content of a file (`warehouse.ingest.readers`), which files were loaded before (`warehouse.ledger`).
"""

import errno
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from os import DirEntry
from pathlib import Path
from typing import TYPE_CHECKING

from models.enums import Log
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

EXTENSIONS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")
_EXTENSION = "|".join(re.escape(extension) for extension in EXTENSIONS)
_LOG_FILE = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}})(?:(?:\.[^/]+?)?|/[^/]+)\.(?:{_EXTENSION})", re.ASCII)

Candidate = tuple[str, AnyPath | None, ObjectInfo | None]
"""A name relative to the landing zone; its path, None if it cannot be a log file; the metadata of an object."""


@dataclass(frozen=True, order=True)
class LandingFile:
    """A log file in the landing zone; `source_file`, its path within the log's folder, is its name in lake and ledger."""

    log: Log
    log_date: date
    source_file: str
    path: AnyPath
    object_info: ObjectInfo | None = field(default=None, compare=False)
    """The metadata of an object as the scan listed it: only this version of the object is read."""

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
    """The result of a scan: log files in the order of log and date, and the names that are no log file's."""

    files: tuple[LandingFile, ...]
    ignored: tuple[str, ...]

    def files_of(self, log: Log) -> list[LandingFile]:
        return [file for file in self.files if file.log == log]


def scan(landing: AnyPath, *, follows_links: bool = False) -> LandingZone:
    """Lists the landing zone. One that does not exist counts as empty: other systems create it when they deliver."""
    files, ignored = [], []
    order = {str(log): position for position, log in enumerate(Log)}
    for name, path, info in _objects(landing) if is_object(landing) else _files(landing, follows_links):
        log, _, source_file = name.partition("/")
        log_date = _log_date(source_file) if log in order and source_file.isprintable() else None
        if path is None or log_date is None:
            ignored.append(_printable(name))
        else:
            files.append(LandingFile(Log(log), log_date, source_file, path, info))
    files.sort(key=lambda file: (order[file.log], file.log_date, file.source_file))
    return LandingZone(tuple(files), tuple(sorted(ignored)))


def _objects(landing: "S3Path") -> Iterator[Candidate]:
    for name, info in list_objects(landing).items():
        # The consoles of some stores create an object whose name ends in a slash for a folder.
        if not name.endswith("/") and not any(map(_is_being_written, name.split("/"))):
            yield name, landing / name, info


def _files(landing: Path, follows_links: bool) -> Iterator[Candidate]:
    root = os.path.realpath(landing)

    def leaves(entry: DirEntry[str]) -> bool:
        return entry.is_symlink() and not follows_links and not Path(os.path.realpath(entry.path)).is_relative_to(root)

    for entry in _entries(landing):
        if leaves(entry):
            yield f"{entry.name}{_LEAVES}", None, None
            continue
        if entry.name not in list(Log) or not _has_type(entry, DirEntry.is_dir):
            yield entry.name, None, None
            continue
        for path in _entries(Path(entry.path)):
            if leaves(path):
                yield f"{entry.name}/{path.name}{_LEAVES}", None, None
                continue
            candidates = list(_entries(Path(path.path))) if _has_type(path, DirEntry.is_dir) else [path]
            # An empty folder is reported only if it has the name of a log file.
            if not candidates and _log_date(path.name):
                candidates = [path]
            for candidate in candidates:
                file = Path(candidate.path)
                name = file.relative_to(landing).as_posix()
                if leaves(candidate):
                    yield f"{name}{_LEAVES}", None, None
                    continue
                yield name, file if _has_type(candidate, DirEntry.is_file) else None, None


_LEAVES = " (a link out of the landing zone; SENDMART_FOLLOW_LINKS allows it)"


def _entries(folder: Path) -> Iterator[DirEntry[str]]:
    """The sorted entries of a folder, without the files that their names mark as being written."""
    try:
        with os.scandir(folder) as entries:
            yield from sorted(
                (entry for entry in entries if not _is_being_written(entry.name)), key=lambda entry: entry.name
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


def _is_being_written(name: str) -> bool:
    return name.startswith((".", "_")) or name.endswith((".tmp", ".part"))


def _log_date(source_file: str) -> date | None:
    """The log date in a path within a log's folder; None if it is not the path of a log file."""
    match = _LOG_FILE.fullmatch(source_file)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _printable(name: str) -> str:
    text = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
