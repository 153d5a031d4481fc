"""The landing zone: which log files lie there, and which of them the lake has not taken yet.

A file is named `<log>/<date>.<ext>`, `<log>/<date>.<part>.<ext>` or `<log>/<date>/<any name>.<ext>`; the zone is a folder,
or a prefix of an object store. Nothing is ever written here.

Not here: what is in a file (`warehouse.ingest.readers`), what was taken before (`warehouse.ledger`).
"""

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from os import DirEntry
from pathlib import Path

from models.enums import Log
from warehouse.storage import AnyPath, ObjectInfo, is_object, object_store

EXTENSIONS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")
_EXTENSION = "|".join(re.escape(extension) for extension in EXTENSIONS)
_DATED_NAME = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}})(?:\..+?)?\.(?:{_EXTENSION})", re.ASCII)
_ANY_NAME = re.compile(rf".+\.(?:{_EXTENSION})")

FRESH_NS = 2_000_000_000
"""How coarse the time stamps of a file system may be: two seconds on some."""


@dataclass(frozen=True)
class FileStat:
    """What the file system says of a file without reading it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    observed_ns: int = field(compare=False)

    @property
    def is_fresh(self) -> bool:
        """Modified so shortly before it was noted that it may be modified again without showing it."""
        return self.observed_ns - self.mtime_ns < FRESH_NS

    @property
    def hash_placeholder(self) -> str:
        """What is noted of a content that cannot be read, in place of its hash; another one whenever the stamp is."""
        seen = ("cannot be read", self.size, self.mtime_ns, self.ctime_ns, self.inode)
        return hashlib.sha256(repr(seen).encode()).hexdigest()

    @classmethod
    def of(cls, path: Path) -> "FileStat":
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, time.time_ns())

    @classmethod
    def of_object(cls, object_info: ObjectInfo) -> "FileStat":
        """What a listing says of an object. Its tag, as a number, stands for the inode; it changes with the content, so
        that no stamp of an object is a fresh one.
        """
        modified = int(object_info.modified.timestamp()) * 10**9
        tag = int.from_bytes(hashlib.sha256(object_info.tag.encode()).digest()[:7])
        return cls(object_info.size, modified, 0, tag, modified + FRESH_NS)


@dataclass(frozen=True, order=True)
class LandingFile:
    """A log file in the landing zone; `source_file` is its path within the log's folder, its name in the lake."""

    log: Log
    log_date: date
    source_file: str
    path: AnyPath
    object_info: ObjectInfo | None = field(default=None, compare=False)
    """Of an object, what the listing said in which it was found: that, and nothing later, is what is read."""

    def stat(self) -> FileStat:
        if is_object(self.path):
            return FileStat.of_object(self.object_info or object_store.head_object(self.path))
        return FileStat.of(self.path)

    def sha256(self) -> str:
        """The hash of its content.

        Raises:
            OSError: the system does not let it be read.
        """
        if is_object(self.path):
            return object_store.sha256(self.path)
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class LandingZone:
    """What was found: log files in the order of log and date, and names that fit no log file."""

    files: tuple[LandingFile, ...]
    ignored: tuple[str, ...]

    def files_of(self, log: Log) -> list[LandingFile]:
        return [file for file in self.files if file.log == log]


def scan(landing: AnyPath) -> LandingZone:
    """Looks through the landing zone. One that is not there is empty: logs are dropped by others, in their own time."""
    files, ignored = _objects(landing) if is_object(landing) else _files(landing)
    order = list(Log)
    files.sort(key=lambda file: (order.index(file.log), file.log_date, file.source_file))
    return LandingZone(tuple(files), tuple(sorted(ignored)))


def _objects(landing: AnyPath) -> tuple[list[LandingFile], list[str]]:
    """The log files among the objects under a prefix, and the other names."""
    files: list[LandingFile] = []
    ignored: list[str] = []
    logs = {str(log): log for log in Log}
    for name, object_info in object_store.list_objects(landing).items():
        of_log, _, source_file = name.partition("/")
        # A name that ends in a slash stands for a folder, in some stores' consoles.
        if name.endswith("/") or any(map(_is_being_written, name.split("/"))):
            continue
        log_date = _log_date(source_file) if of_log in logs and _is_text(source_file) else None
        if log_date is None:
            ignored.append(_printable(name))
        else:
            files.append(LandingFile(logs[of_log], log_date, source_file, landing / name, object_info))
    return files, ignored


def _files(landing: Path) -> tuple[list[LandingFile], list[str]]:
    """The log files in a folder, and the other names."""
    files: list[LandingFile] = []
    ignored: list[str] = []
    logs = {str(log): log for log in Log}
    for entry in _entries(landing):
        if entry.name not in logs or not _is(entry, DirEntry.is_dir):
            ignored.append(_printable(entry.name))
            continue
        for path in _entries(Path(entry.path)):
            inner = list(_entries(Path(path.path))) if _is(path, DirEntry.is_dir) else [path]
            if not inner and _log_date(path.name):
                ignored.append(_printable(f"{entry.name}/{path.name}"))  # a folder under the name of a file
            for candidate in inner:
                source_file = Path(candidate.path).relative_to(entry.path).as_posix()
                is_log_file = _is(candidate, DirEntry.is_file) and _is_text(source_file)
                log_date = _log_date(source_file) if is_log_file else None
                if log_date is None:
                    ignored.append(_printable(f"{entry.name}/{source_file}"))
                else:
                    files.append(LandingFile(logs[entry.name], log_date, source_file, Path(candidate.path)))
    return files, ignored


def _entries(folder: Path) -> Iterator[DirEntry[str]]:
    """What lies in a folder, but for names that say they are still being written."""
    try:
        with os.scandir(folder) as entries:
            yield from sorted(
                (entry for entry in entries if not _is_being_written(entry.name)), key=lambda entry: entry.name
            )
    except FileNotFoundError:
        return


def _is(entry: DirEntry[str], kind: Callable[[DirEntry[str]], bool]) -> bool:
    """Whether something is a folder, or a file, be it through links; links that lead in a circle are neither."""
    try:
        return kind(entry)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _is_being_written(name: str) -> bool:
    return name.startswith((".", "_")) or name.endswith((".tmp", ".part"))


def _log_date(source_file: str) -> date | None:
    """The date that a path within a log's folder stands for; None where it is no log file's."""
    folder, _, name = source_file.rpartition("/")
    if folder:
        matches = _ANY_NAME.fullmatch(name)
        day = folder
    else:
        matches = _DATED_NAME.fullmatch(name)
        day = matches[1] if matches else ""
    if not matches or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day, re.ASCII):
        return None
    try:
        return date.fromisoformat(day)
    except ValueError:
        return None


def _is_text(name: str) -> bool:
    """Whether a name can be told to people: no bytes that are not UTF-8, no control characters."""
    return name.isprintable()


def _printable(name: str) -> str:
    text = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
