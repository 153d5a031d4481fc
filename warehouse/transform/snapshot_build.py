"""A full build of a snapshot of the lake, beside a refresh: in a folder of its own, deleted afterwards, and always by DuckDB.

No lock of a refresh is taken; the files of the candidate and the published files are not opened.

Not here: which files a snapshot has (`warehouse.lake.snapshot`), what is read from the build (`what_if`,
`warehouse.publish.replay`).
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from warehouse.config import DataPaths, Engine, Settings
from warehouse.duckdb_tools import attached
from warehouse.lake import change_feed
from warehouse.lake.snapshot import Snapshot, take_snapshot
from warehouse.ledger import Ledger
from warehouse.transform.build import check_built
from warehouse.transform.dbt_runner import check_seeds, run_dbt

_FOLDER = "snapshots"
"""The folder in the scratch folder with one folder and one lock file for each process that builds a snapshot."""


@dataclass(frozen=True)
class SnapshotBuild:
    """A build of a snapshot: the settings it was made with, and its data folder, with `build` and `candidate`."""

    settings: Settings
    paths: DataPaths
    snapshot: Snapshot


@contextmanager
def snapshot_build(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    *,
    until: date | None = None,
    selection: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
) -> Iterator[SnapshotBuild]:
    """Builds models from the files of log dates up to `until`, or from all. The block reads the build and must not keep it.

    `selection` holds options of dbt that select models, by default all; `variables` are added to dbt's variables.

    Raises:
        BuildFailed, SumTooLarge: as a refresh.
        LakeDamaged: a file of the lake is missing or damaged.
        ErasureUnfinished: a contact is being erased, or was erased meanwhile.
    """
    check_seeds()
    with _snapshot_folder(settings.scratch / _FOLDER) as folder:
        own_paths = DataPaths(folder, hash_key_override=paths.hash_key)
        own_settings = settings.model_copy(
            update={"data": folder, "lake": None, "engine": Engine.DUCKDB, "temp_directory": None}
        )
        own_paths.warehouse.mkdir()
        snapshot = take_snapshot(paths, ledger, folder / "lake", until=until)
        try:
            with attached(read_only=False, build=own_paths.build, candidate=own_paths.candidate) as connection:
                change_feed.create_views(connection, "build", own_paths, [])
            command = ["build", "--resource-type", "seed", "--resource-type", "model", *selection]
            check_built(own_paths, run_dbt(own_settings, own_paths, command, variables=variables))
            yield SnapshotBuild(own_settings, own_paths, snapshot)
        except Exception:
            # An erasure deletes the scratch folder: that is the reason then, whatever went wrong.
            snapshot.check_erasures(ledger)
            raise
        snapshot.check_erasures(ledger)


def delete_leftovers(settings: Settings) -> int:
    """Deletes the folders of snapshots that killed processes left, and returns their number."""
    parent = settings.scratch / _FOLDER
    if not parent.is_dir():
        return 0
    with FileLock(parent / ".lock"):
        return _delete_unused(parent)


def _delete_unused(parent: Path) -> int:
    return sum(_delete_unless_in_use(folder) for folder in parent.glob("*/"))


@contextmanager
def _snapshot_folder(parent: Path) -> Iterator[Path]:
    """A new folder with a lock file beside it, which shows that it is in use; deletes those that killed processes left."""
    parent.mkdir(parents=True, exist_ok=True)
    with FileLock(parent / ".lock"):
        _delete_unused(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = FileLock(_lock_file(folder))
        lock.acquire()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        _lock_file(folder).unlink(missing_ok=True)


def _delete_unless_in_use(folder: Path) -> bool:
    """Whether the folder was in use by no process, and is deleted."""
    try:
        with FileLock(_lock_file(folder), timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
            _lock_file(folder).unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")
