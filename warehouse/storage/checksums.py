"""Checksums: size and SHA-256 of a file, recorded when it is written and compared when it is verified.

Not here: the recorded checksums (`warehouse.ledger`), what happens to a damaged file (`warehouse.lake.integrity`).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path


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
    """The SHA-256 of a file on disk, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
