"""What a file holds, in one word: its size and SHA-256, as noted when it was written and found when it is looked at.

Not here: what is noted of which file (`warehouse.ledger`), what follows where it differs (`warehouse.lake.integrity`).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checksum:
    """Of a file its size in bytes, and the SHA-256 of these."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Checksum":
        return cls(path.stat().st_size, hash_of(path))


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
