"""What shows that a file changed: its stat (size, times, inode) without reading it, its checksum after reading it.

Not here: the recorded stats and checksums (`warehouse.ledger`), what happens to a damaged file (`warehouse.lake.integrity`).
"""

import errno
import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from warehouse.storage.object_store import ObjectInfo

TIMESTAMP_RESOLUTION_NS = 2_000_000_000
"""The coarsest time stamps of a file system that is supported: two seconds."""


@dataclass(frozen=True)
class FileStat:
    """The metadata of a file at the moment `observed_ns`; all times are in nanoseconds since 1970."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    observed_ns: int = field(compare=False)

    @property
    def is_fresh(self) -> bool:
        """Modified so shortly before it was observed that another change might leave the same stat."""
        return self.observed_ns - self.mtime_ns < TIMESTAMP_RESOLUTION_NS

    @property
    def hash_placeholder(self) -> str:
        """Stands for the SHA-256 of a file that cannot be read; differs whenever the stat differs."""
        parts = ("cannot be read", self.size, self.mtime_ns, self.ctime_ns, self.inode)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @classmethod
    def of(cls, path: Path) -> "FileStat":
        stat = path.stat()
        times = _signed(stat.st_mtime_ns), _signed(stat.st_ctime_ns)
        return cls(stat.st_size, *times, _signed(stat.st_ino), time.time_ns())

    @classmethod
    def of_object(cls, info: ObjectInfo) -> "FileStat":
        """The stat of an object. Its tag stands for the inode and changes with the content, so that it is never fresh."""
        modified = int(info.modified.timestamp()) * 10**9
        tag = int.from_bytes(hashlib.sha256(info.tag.encode()).digest()[:7])
        return cls(info.size, modified, 0, tag, modified + TIMESTAMP_RESOLUTION_NS)


def _signed(number: int) -> int:
    """A number as the ledger can store it: in 64 bits with a sign. Times after 2262 and large inodes need more."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class NotRegularFile(OSError):
    """The path is a pipe, a device, a socket or a folder."""


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file for reading. Never blocks: a named pipe without a writer would, if it were opened as a file.

    Raises:
        NotRegularFile: the path is a pipe, a device, a socket or a folder.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFile(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged: not a regular file, not JSON, or JSON of another kind.
    """
    try:
        with open_regular(path) as file:
            content = json.load(file)
    except (NotRegularFile, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


@dataclass(frozen=True)
class Checksum:
    """The size of a file in bytes, and the SHA-256 of its content."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Checksum":
        """The checksum of a file on disk, which is read in full."""
        return cls(path.stat().st_size, hash_of(path))


def hash_of(path: Path) -> str:
    """The SHA-256 of a regular file on disk, in hexadecimal digits."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
