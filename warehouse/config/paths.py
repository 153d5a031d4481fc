"""The paths of the data folder, and of what a setting puts elsewhere; temporary files, copies of objects, the writer lock.

Not here: the content of the files; each package has its own.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from warehouse.storage import AnyPath, atomic_replace, fetch, is_object, names_in

if TYPE_CHECKING:
    from cloudpathlib import S3Path

    from warehouse.config.settings import Settings


class DataPaths:
    """The layout of the data folder; an `_override` is a folder or prefix elsewhere that a setting names."""

    def __init__(
        self,
        data: Path,
        lake_override: AnyPath | None = None,
        published_override: AnyPath | None = None,
        exports_override: AnyPath | None = None,
        hash_key_override: Path | None = None,
    ) -> None:
        self.data = data
        self.ledger = data / "ledger.sqlite"
        self.lock = data / ".writer.lock"
        self.dagster_home = data / "dagster"
        # The key of the keyed hashes, and beside it the second copy of the tombstones.
        self.hash_key = hash_key_override or data / "hash.key"
        self.tombstone_copy = self.hash_key.with_name(f"{self.hash_key.name}.tombstones")

        self.lake: AnyPath = lake_override or data / "lake"
        # Rejected rows as Parquet, in the layout of the lake.
        self.quarantine = data / "quarantine"
        # The previous versions of replaced lake files, kept until a build has used the change.
        self.changes = data / "changes"

        self.warehouse = data / "warehouse"
        # The candidate: staging and intermediate models, and the marts, which are audited and then published.
        self.build = self.warehouse / "build.duckdb"
        self.candidate = self.warehouse / "candidate.duckdb"
        # The keys of the lake's rows, hashed, to find key conflicts. It can be deleted: it is written again from the lake.
        self.key_index = self.warehouse / "keys.duckdb"
        # The folder that Spark writes to, if it is the engine; a cluster's workers must reach it under the same path.
        self.spark = self.warehouse / "spark"
        self.spark_builds = self.spark / "builds"
        # The file that names the build in Spark's published schema.
        self.spark_published = self.spark / "published"
        self.dbt_target = self.warehouse / "dbt"
        self.column_lineage = self.dbt_target / "column_lineage.json"
        self.compiled_sql = self.dbt_target / "compiled_sql.json"
        self.compiled_tests = self.dbt_target / "compiled_tests.json"
        # The databases of dbt at the prompt (`dbt_project/profiles.yml`).
        self.dbt_dev = data / "dev"
        # Temporary files of uploads to an object store and downloads from it.
        self.transfers = self.warehouse / "transfers"

        # The prefix of the published copies in an object store; None if the published folder is on disk only.
        self.published_store: S3Path | None = None
        self.published = data / "published"
        if published_override is not None:
            if is_object(published_override):
                self.published_store = published_override
            else:
                self.published = published_override
        # DuckDB names the catalogue after the file: no schema in it has this name.
        self.new_published_marts = self.published / "sendmart.duckdb"
        self.published_marts_of_0_2 = self.published / "marts.duckdb"
        # The JSON file that names the published build and its file.
        self.current = self.published / "current.json"
        # The kept builds, the published one included, for rollback: `<build id>.duckdb`.
        self.kept_builds = self.published / "builds"
        self.published_quarantine = self.published / "quarantine.duckdb"
        # The audit pages, one per build.
        self.audits = self.published / "audits"
        self.exports: AnyPath = exports_override or data / "exports"

    @classmethod
    def of(cls, settings: "Settings") -> "DataPaths":
        return cls(settings.data, settings.lake, settings.published, settings.exports, settings.hash_key_file)

    @property
    def published_marts(self) -> Path:
        """The published database; in a data folder of release 0.2, the old file until `warehouse.publish.upgrade` moves it."""
        file, old = self.new_published_marts, self.published_marts_of_0_2
        return old if not file.exists() and old.exists() else file

    def find_data(self) -> str | None:
        """A file or folder which shows that the data folder has had a ledger; None in a new data folder."""
        if names_in(self.lake) if is_object(self.lake) else any(self.lake.glob("*/log_date=*/*.parquet")):
            return str(self.lake)
        # A key file elsewhere, and its tombstones, may be those of another data folder.
        own_files = (self.data / "hash.key", self.data / "hash.key.tombstones")
        files = (self.new_published_marts, self.published_marts_of_0_2, *own_files)
        return next((str(file) for file in files if file.exists()), None)

    def has_lake(self) -> bool:
        return bool(names_in(self.lake)) if is_object(self.lake) else self.lake.is_dir()

    def key_of(self, path: AnyPath) -> Path:
        """The ledger's key of a file of lake or quarantine, such as `lake/clicks/log_date=…/….parquet`; it does not depend on
        where the lake is.
        """
        for name, root in (("lake", self.lake), ("quarantine", self.quarantine)):
            if str(path).startswith(f"{root}/"):
                return Path(name, str(path).removeprefix(f"{root}/"))
        raise ValueError(f"{path} is neither in the lake nor in the quarantine")

    def path_from_key(self, key: Path) -> AnyPath:
        """The path of the file of lake or quarantine with this key."""
        root, *parts = key.parts
        return {"lake": self.lake, "quarantine": self.quarantine}[root].joinpath(*parts)

    def temp_path(self, path: AnyPath, by: str = "") -> Path:
        """The temporary file to write before it replaces `path`; files of different writers (`by`) never share one."""
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
        """The file itself, or a copy of an object that is deleted afterwards.

        Raises FileNotFoundError if there is no such object, ObjectChanged if it no longer has this tag.
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
        """Holds the writer lock, reentrant in a process. Raises filelock.Timeout after `timeout` seconds (-1: never)."""
        self.data.mkdir(parents=True, exist_ok=True)
        with FileLock(self.lock, is_singleton=True).acquire(timeout=timeout):
            yield
