"""Replays: the marts as a refresh would have published them from the log files of the dates up to a day, in a file of its own.

Not here: the build (`warehouse.transform.snapshot_build`), what is printed (`orchestration.cli.output.replay`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from models.marts import SCHEMA
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import attached
from warehouse.ledger import Ledger, Replacement, now
from warehouse.publish.published_file import BuildInfo, write_published_file
from warehouse.storage import atomic_replace, is_object, link_or_copy, remove
from warehouse.transform.build import new_build_id
from warehouse.transform.snapshot_build import snapshot_build

_FIGURES = {
    "campaigns": "count(*)",
    **{
        name: f"coalesce(sum({name}), 0)"
        for name in ("total_sent", "total_delivered", "total_clicks", "direct_orders", "revenue")
    },
}
"""The figures of a replay that are printed, and their expressions over `campaign_metrics`."""


class NothingToReplay(Exception):
    """No log file of these dates is loaded. The message says which are."""


@dataclass(frozen=True)
class Replay:
    """A written replay. `replaced` are the log files whose content came after its date."""

    file: Path
    data_until: date
    log_files: int
    figures: Mapping[str, Any]
    replaced: tuple[Replacement, ...]


def default_file(as_of: date) -> Path:
    """The file of a replay in the current folder. DuckDB names the catalogue after it: no name that needs quotes."""
    return Path(f"sendmart_as_of_{as_of:%Y_%m_%d}.duckdb")


def own_folder(settings: Settings, paths: DataPaths, file: Path) -> Path | None:
    """The folder of Sendmart that a file would lie in, where no replay may be written; None if it lies in none."""
    folders = (paths.data, settings.landing, paths.lake, paths.published, paths.exports)
    resolved = file.absolute().resolve()
    return next(
        (folder for folder in folders if not is_object(folder) and resolved.is_relative_to(folder.resolve())), None
    )


def check_is_loaded(ledger: Ledger, as_of: date) -> None:
    """Raises NothingToReplay if no log file of the dates up to `as_of` has a row in the lake."""
    first_date = min((loaded.log_date for loaded in ledger.files() if loaded.accepted), default=None)
    if first_date is None:
        raise NothingToReplay("Nothing has been loaded yet")
    if as_of < first_date:
        raise NothingToReplay(f"No log file of {as_of} or before is loaded: the first log date is {first_date}")


def write_replay(settings: Settings, paths: DataPaths, ledger: Ledger, as_of: date, file: Path) -> Replay:
    """Writes the marts of the log files of the dates up to `as_of`, with their content of now; replaces `file`.

    Raises:
        BuildFailed, SumTooLarge, LakeDamaged, ErasureUnfinished, KeyMissing: as `snapshot_build` and a publication.
    """
    with snapshot_build(settings, paths, ledger, until=as_of) as build:
        data_until = build.snapshot.data_until
        written = build.paths.data / "replay.duckdb"
        info = BuildInfo(new_build_id(), now(), data_until)
        write_published_file(build.settings, build.paths, ledger, written, info, as_of=as_of)
        with attached(replay=written) as connection:
            figures = ", ".join(f"{expression} as {name}" for name, expression in _FIGURES.items())
            cursor = connection.execute(f"select {figures} from replay.{SCHEMA}.campaign_metrics")
            values = dict(zip(_FIGURES, cursor.fetchall()[0], strict=True))
        build.snapshot.check_erasures(ledger)
        _move(written, file)
        return Replay(file, data_until or as_of, len(build.snapshot.files), values, tuple(ledger.replacements(as_of)))


def _move(written: Path, file: Path) -> None:
    """Gives a finished file its place, which may be on another disk. A reader never sees a part of it."""
    temp_path = file.with_name(f".{file.name}.tmp")
    try:
        link_or_copy(written, temp_path)
        remove(file.with_name(f"{file.name}.wal"))
        atomic_replace(temp_path, file)
    finally:
        temp_path.unlink(missing_ok=True)
