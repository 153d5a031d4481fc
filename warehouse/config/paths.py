"""The paths of the data folder, and of the lake, the published marts and the exports if a setting puts them elsewhere.

Also what depends on these paths: temporary files beside their targets, local copies of objects, the writer lock.

Not here: the content of the files; each room knows its own.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from warehouse.storage import AnyPath, atomic_replace, fetch, is_object, names_in

if TYPE_CHECKING:
    from cloudpathlib import S3Path

    from warehouse.config.settings import Settings


@dataclass(frozen=True)
class DataPaths:
    """The layout of the data folder; an `_override` is a folder or prefix elsewhere that a setting names."""

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
        """Rejected rows as Parquet, in the layout of the lake."""
        return self.data / "quarantine"

    @property
    def changes(self) -> Path:
        """The previous versions of replaced lake files, kept until a build has used the change."""
        return self.data / "changes"

    @property
    def warehouse(self) -> Path:
        return self.data / "warehouse"

    @property
    def build(self) -> Path:
        """The candidate's DuckDB file with staging and intermediate models."""
        return self.warehouse / "build.duckdb"

    @property
    def candidate(self) -> Path:
        """The candidate's DuckDB file with the marts: audited, then published if the release gate passes."""
        return self.warehouse / "candidate.duckdb"

    @property
    def spark(self) -> Path:
        """The folder that Spark writes to, if it is the engine; a cluster's workers must reach it under the same path."""
        return self.warehouse / "spark"

    @property
    def spark_builds(self) -> Path:
        return self.spark / "builds"

    @property
    def spark_published(self) -> Path:
        """The file that names the build in Spark's published schema."""
        return self.spark / "published"

    @property
    def dbt_dev(self) -> Path:
        """The databases of dbt at the prompt (`dbt_project/profiles.yml`)."""
        return self.data / "dev"

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
        """Temporary files of uploads to an object store and downloads from it."""
        return self.warehouse / "transfers"

    @property
    def published(self) -> Path:
        """The published folder on disk; if the setting names an object store, files are copied there."""
        override = self.published_override
        return self.data / "published" if override is None or is_object(override) else override

    @property
    def published_store(self) -> "S3Path | None":
        """The prefix of the published copies in an object store; None if the published folder is on disk only."""
        override = self.published_override
        return override if override is not None and is_object(override) else None

    @property
    def published_marts(self) -> Path:
        """The published database.

        A data folder of release 0.2 has the old file until the first refresh moves it (`warehouse.publish.upgrade`).
        """
        file, old = self.new_published_marts, self.published_marts_of_0_2
        return old if not file.exists() and old.exists() else file

    @property
    def new_published_marts(self) -> Path:
        """DuckDB names the catalogue after the file: no schema in it has this name."""
        return self.published / "sendmart.duckdb"

    @property
    def published_marts_of_0_2(self) -> Path:
        return self.published / "marts.duckdb"

    @property
    def current(self) -> Path:
        """The JSON file that names the published build and its file."""
        return self.published / "current.json"

    @property
    def kept_builds(self) -> Path:
        """The kept builds, the published one included, for rollback: `<build id>.duckdb`."""
        return self.published / "builds"

    @property
    def published_quarantine(self) -> Path:
        return self.published / "quarantine.duckdb"

    @property
    def audits(self) -> Path:
        """The audit pages, one per build."""
        return self.published / "audits"

    @property
    def exports(self) -> AnyPath:
        return self.data / "exports" if self.exports_override is None else self.exports_override

    @property
    def dagster_home(self) -> Path:
        return self.data / "dagster"

    @property
    def hash_key(self) -> Path:
        """The key of the keyed hashes, unless SENDMART_HASH_KEY_FILE names another file."""
        return self.data / "hash.key"

    @property
    def lock(self) -> Path:
        return self.data / ".writer.lock"

    def has_lake(self) -> bool:
        return bool(names_in(self.lake)) if is_object(self.lake) else self.lake.is_dir()

    def key_of(self, path: AnyPath) -> Path:
        """The ledger's key of a file of lake or quarantine, such as `lake/clicks/log_date=…/….parquet`; it does not depend on
        where the lake is.
        """
        for name, root in (("lake", self.lake), ("quarantine", self.quarantine)):
            if is_object(path) and is_object(root) and path.is_relative_to(root):
                return Path(name, path.relative_to(root))
            if not is_object(path) and not is_object(root) and path.is_relative_to(root):
                return Path(name, path.relative_to(root))
        raise ValueError(f"{path} is neither in the lake nor in the quarantine")

    def path_from_key(self, key: Path) -> AnyPath:
        """The path of the file of lake or quarantine with this key."""
        root, *parts = key.parts
        return {"lake": self.lake, "quarantine": self.quarantine}[root].joinpath(*parts)

    def temp_path(self, path: AnyPath, by: str = "") -> Path:
        """The temporary file to write before it replaces `path`: beside it, or in the transfers folder for an object store.

        Args:
            by: names the writer; files of different writers never share a temporary file.
        """
        if is_object(path):
            self.transfers.mkdir(parents=True, exist_ok=True)
            return self.transfers / f"{by or secrets.token_hex(6)}-{path.name}"
        return path.with_name(f".{by}-{path.name}.tmp" if by else f".{path.name}.tmp")

    @contextmanager
    def atomic_write(self, path: AnyPath) -> Iterator[Path]:
        """A temporary file to write; it replaces `path` when the block ends, and is deleted if the block raises."""
        temp_path = self.temp_path(path)
        temp_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temp_path
            atomic_replace(temp_path, path)
        finally:
            temp_path.unlink(missing_ok=True)

    @contextmanager
    def local_copy(self, path: AnyPath, tag: str | None = None) -> Iterator[Path]:
        """The file itself, or for an object a downloaded copy that is deleted afterwards.

        Raises:
            FileNotFoundError: there is no such object.
            ObjectChanged: the object no longer has this tag.
        """
        if not is_object(path):
            yield path
            return
        copy = self.temp_path(path)
        try:
            fetch(path, copy, tag)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    @contextmanager
    def writer_lock(self, timeout: float = -1) -> Iterator[None]:
        """Holds the one writer lock of the data folder. Reentrant within a process.

        Raises:
            filelock.Timeout: another process held the lock for `timeout` seconds (-1 waits without limit).
        """
        self.data.mkdir(parents=True, exist_ok=True)
        with FileLock(self.lock, is_singleton=True).acquire(timeout=timeout):
            yield
