"""Where things lie: under the data folder, but for lake, published marts and exports that a setting puts elsewhere; and how
a file there is put in place.

Not here: what is in them, each has a module of its own; object stores (`warehouse.storage.object_store`).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from warehouse.storage import AnyPath, is_object, object_store

if TYPE_CHECKING:
    from warehouse.config.settings import Settings


PUBLISHED_MARTS = "sendmart.duckdb"
"""Name of the published database. It is no name of a schema in it: DuckDB names a catalogue after the file."""


@dataclass(frozen=True)
class DataPaths:
    """The layout of the data folder, and what of it lies elsewhere."""

    data: Path
    lake_override: AnyPath | None = None
    published_override: AnyPath | None = None
    exports_override: AnyPath | None = None

    @classmethod
    def of(cls, settings: "Settings") -> "DataPaths":
        return cls(settings.data, settings.lake, settings.published, settings.exports)

    @property
    def ledger(self) -> Path:
        return self.data / "ledger.sqlite"

    @property
    def lake(self) -> AnyPath:
        return self.data / "lake" if self.lake_override is None else self.lake_override

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
    def spark(self) -> Path:
        """What Spark writes, where it is the engine; a cluster's workers must find it under the same path."""
        return self.warehouse / "spark"

    @property
    def spark_builds(self) -> Path:
        return self.spark / "builds"

    @property
    def spark_published(self) -> Path:
        """Names the build that Spark's readers see."""
        return self.spark / "published"

    @property
    def dbt_target(self) -> Path:
        return self.warehouse / "dbt"

    @property
    def column_lineage(self) -> Path:
        return self.dbt_target / "column_lineage.json"

    @property
    def compiled_sql(self) -> Path:
        return self.dbt_target / "compiled_sql.json"

    @property
    def transfers(self) -> Path:
        """Files on their way to an object store, or from it."""
        return self.warehouse / "transfers"

    @property
    def published(self) -> Path:
        """What is published, on a disk: an object store is sent a copy."""
        elsewhere = self.published_override
        return self.data / "published" if elsewhere is None or is_object(elsewhere) else elsewhere

    @property
    def published_store(self) -> AnyPath | None:
        """Where in an object store what is published lies for those who read it; None where they read it on the disk."""
        elsewhere = self.published_override
        return elsewhere if elsewhere is not None and is_object(elsewhere) else None

    @property
    def published_marts(self) -> Path:
        """The published database.

        A data folder of release 0.2 has the old file until the first refresh moves it (`warehouse.publish.upgrade`).
        """
        file, old = self.published / PUBLISHED_MARTS, self.published_marts_of_0_2
        return old if not file.exists() and old.exists() else file

    @property
    def published_marts_of_0_2(self) -> Path:
        return self.published / "marts.duckdb"

    @property
    def current(self) -> Path:
        """Says which build is published, and in which file."""
        return self.published / "current.json"

    @property
    def kept_builds(self) -> Path:
        """Published builds, the current one included, to go back to: `<build id>.duckdb`."""
        return self.published / "builds"

    @property
    def published_quarantine(self) -> Path:
        return self.published / "quarantine.duckdb"

    @property
    def audits(self) -> Path:
        """Pages that tell what was checked of a build, one each."""
        return self.published / "audits"

    @property
    def exports(self) -> AnyPath:
        return self.data / "exports" if self.exports_override is None else self.exports_override

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
        return bool(object_store.list_objects(self.lake)) if is_object(self.lake) else self.lake.is_dir()

    def key_of(self, path: AnyPath) -> Path:
        """A file of lake or quarantine as the ledger names it, wherever the lake lies."""
        for name, root in (("lake", self.lake), ("quarantine", self.quarantine)):
            if is_object(path) == is_object(root) and path.is_relative_to(root):
                return Path(name) / path.relative_to(root)
        raise ValueError(f"{path} is no file of lake or quarantine")

    def path_from_key(self, name: Path) -> AnyPath:
        """Where the file of lake or quarantine lies that the ledger names so."""
        first, *others = name.parts
        return {"lake": self.lake, "quarantine": self.quarantine}[first].joinpath(*others)

    def temp_path(self, path: AnyPath, by: str = "") -> Path:
        """Where a file is written before it is put in place: beside it, or on the disk for an object store. What is written
        `by` one is never what another writes, who may still be at it.
        """
        if is_object(path):
            self.transfers.mkdir(parents=True, exist_ok=True)
            return self.transfers / f"{by or secrets.token_hex(6)}-{path.name}"
        return path.with_name(f".{by}-{path.name}.tmp" if by else f".{path.name}.tmp")

    @contextmanager
    def local_copy(self, path: AnyPath, tag: str | None = None) -> Iterator[Path]:
        """A file on the disk that holds what lies at a place: itself, or a copy of an object for as long as it is needed.

        Raises:
            FileNotFoundError: it is not there.
            object_store.ObjectChanged: it is no longer the object with this tag.
        """
        if not is_object(path):
            yield path
            return
        copy = self.temp_path(path)
        try:
            object_store.fetch(path, copy, tag)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    @contextmanager
    def writer_lock(self, timeout: float = -1) -> Iterator[None]:
        """Holds the one writer's lock of the data folder; entered again by the same process, it passes.

        Raises:
            filelock.Timeout: another process held it for `timeout` seconds (-1 waits without end).
        """
        self.data.mkdir(parents=True, exist_ok=True)
        with FileLock(self.lock, is_singleton=True).acquire(timeout=timeout):
            yield
