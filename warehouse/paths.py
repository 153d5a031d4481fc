"""Where things lie under the data folder, and how a file there is put in place.

Not here: what is in them; each has a module of its own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock


@dataclass(frozen=True)
class DataPaths:
    """The layout of the data folder."""

    data: Path

    @property
    def ledger(self) -> Path:
        return self.data / "ledger.sqlite"

    @property
    def lake(self) -> Path:
        return self.data / "lake"

    @property
    def quarantine(self) -> Path:
        """Rejected rows as Parquet, laid out as the lake is."""
        return self.data / "quarantine"

    @property
    def changes(self) -> Path:
        """What files of the lake held before they were replaced, until a build has used the change."""
        return self.data / "changes"

    @property
    def warehouse(self) -> Path:
        return self.data / "warehouse"

    @property
    def build(self) -> Path:
        """Staging and intermediate models of the candidate build."""
        return self.warehouse / "build.duckdb"

    @property
    def candidate(self) -> Path:
        """The marts of the candidate build: what the audit looks at, and what is published when it holds."""
        return self.warehouse / "candidate.duckdb"

    @property
    def dbt_target(self) -> Path:
        return self.warehouse / "dbt"

    @property
    def column_lineage(self) -> Path:
        return self.dbt_target / "column_lineage.json"

    @property
    def published_marts(self) -> Path:
        return self.data / "published" / "marts.duckdb"

    @property
    def kept_builds(self) -> Path:
        """Published builds, the current one included, to go back to: `<build id>.duckdb`."""
        return self.data / "published" / "builds"

    @property
    def published_quarantine(self) -> Path:
        return self.data / "published" / "quarantine.duckdb"

    @property
    def audits(self) -> Path:
        """Pages that tell what was checked of a build, one each."""
        return self.data / "published" / "audits"

    @property
    def exports(self) -> Path:
        return self.data / "exports"

    @property
    def dagster_home(self) -> Path:
        return self.data / "dagster"

    @property
    def hash_key(self) -> Path:
        """The key of the keyed hashes, where the settings name no other place."""
        return self.data / "hash.key"

    @property
    def lock(self) -> Path:
        return self.data / ".writer.lock"

    def has_lake(self) -> bool:
        return self.lake.is_dir()

    @contextmanager
    def writer(self, timeout: float = -1) -> Iterator[None]:
        """Holds the one writer's lock of the data folder; entered again by the same process, it passes.

        Raises:
            filelock.Timeout: another process held it for `timeout` seconds (-1 waits without end).
        """
        self.data.mkdir(parents=True, exist_ok=True)
        with FileLock(self.lock, is_singleton=True).acquire(timeout=timeout):
            yield


def put_in_place(written: Path, place: Path) -> None:
    """Moves a finished file to where it is read, so that at any moment, and after a power cut, there is one or the other."""
    sync_file(written)
    written.replace(place)
    sync_folder(place.parent)


def remove(place: Path) -> None:
    """Removes a file that may not be there."""
    if place.exists():
        place.unlink()
        sync_folder(place.parent)


def sync_file(place: Path) -> None:
    with place.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
