"""Published builds that are kept to roll back to."""

import logging
import os
import re
import shutil
from pathlib import Path

from warehouse.foundation import DataPaths, Ledger, Publication, atomic_replace, corruption_reason

log = logging.getLogger("sendmart.publication")

MANAGED_NAMES = r"\.?[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\.(duckdb|duckdb\.wal|tmp)"
"""Names in the folder of kept builds that are ours to delete."""


class BuildNotFound(Exception):
    """There is no such build to go back to."""


def kept_builds(paths: DataPaths, ledger: Ledger) -> list[Publication]:
    """The last publication of each build that is kept, in order; the last is what is published."""
    last: dict[str, Publication] = {}
    for publication in ledger.publications():
        last.pop(publication.build_id, None)
        last[publication.build_id] = publication
    return [publication for publication in last.values() if _kept(paths, publication.build_id).exists()]


def kept_file(paths: DataPaths, ledger: Ledger, build_id: str) -> Path:
    """The file of a kept build.

    Raises:
        BuildNotFound: naming those that are.
    """
    there = [publication.build_id for publication in kept_builds(paths, ledger)]
    if build_id not in there:
        raise BuildNotFound(f"no build {build_id} is kept; there are: {', '.join(there) or 'none'}")
    return _kept(paths, build_id)


def before(paths: DataPaths, ledger: Ledger) -> str | None:
    """The build to go back to: of those that are kept, the last that was published by itself before the current one,
    and that nobody went back from.
    """
    history = [publication.build_id for publication in ledger.publications() if publication.rolled_back_from is None]
    left = {publication.rolled_back_from for publication in ledger.publications()}
    last = ledger.last_publication()
    if last is None or last[0] not in history:
        return None
    last_time = len(history) - 1 - history[::-1].index(last[0])
    earlier = (build_id for build_id in reversed(history[:last_time]) if build_id not in left | {last[0]})
    there = (build_id for build_id in earlier if _kept(paths, build_id).exists())
    return next((build_id for build_id in there if not corruption_reason(_kept(paths, build_id))), None)


def prune(paths: DataPaths, ledger: Ledger, keep: int) -> list[str]:
    """Deletes kept builds but the last so many that were published, what is damaged, and what a kill left; gives the names."""
    whole = []
    for publication in kept_builds(paths, ledger):
        if fault := corruption_reason(_kept(paths, publication.build_id)):
            log.warning("%s: there is no way back to it any more", fault)
        else:
            whole.append(publication.build_id)
    last = whole[-keep:]
    wanted = {_kept(paths, build_id).name for build_id in last}
    files = [file for file in sorted(paths.kept_builds.iterdir()) if re.fullmatch(MANAGED_NAMES, file.name)]
    deleted = [file for file in files if file.name not in wanted]
    for file in deleted:
        file.unlink()
    return [file.name for file in deleted]


def _kept(paths: DataPaths, build_id: str) -> Path:
    return paths.kept_builds / f"{build_id}.duckdb"


def _keep(paths: DataPaths, file: Path, build_id: str) -> None:
    paths.kept_builds.mkdir(parents=True, exist_ok=True)
    temp_path = paths.kept_builds / f".{build_id}.tmp"
    _link(file, temp_path)
    atomic_replace(temp_path, _kept(paths, build_id))


def _link(file: Path, temp_path: Path) -> None:
    """The same file under another name; a copy where the file system has no such thing."""
    temp_path.unlink(missing_ok=True)
    try:
        os.link(file, temp_path)
    except OSError:
        shutil.copyfile(file, temp_path)
