"""Who on the machine may read what Sendmart writes: nobody but its user, or its group where SENDMART_UMASK says so.

Not here: masking (`models.masking`), erasure (`warehouse.erasure`), who may read a landing zone: it is not Sendmart's.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.storage import AnyPath, is_object


def apply_umask(settings: Settings) -> None:
    """Whatever this process, or one that it starts, writes from now on lacks the permissions of the setting's mask."""
    os.umask(int(settings.umask, 8))


def restrict_existing(settings: Settings, paths: DataPaths) -> None:
    """Takes from what already lies in the data folder, or where a setting puts part of it, the permissions that the mask
    takes from what is written now.

    What lies in a folder is looked at only where the folder itself is too open, so that an old data folder is put right
    once, and a new one costs nothing.
    """
    mask = int(settings.umask, 8)
    places = sorted(paths.data.iterdir()) if paths.data.is_dir() else []
    places += [path for path in (paths.lake, paths.published, paths.exports) if not is_object(path) and path.is_dir()]
    for path in dict.fromkeys(places):
        if _holds(path, settings.landing):
            continue
        if _is_too_open(path, mask):
            for inner in _inside(path):
                _close(inner, mask)
            _close(path, mask)
    # Other systems drop files as other users: they must get through to a landing zone within.
    through = 0o011 if _holds(paths.data, settings.landing) else 0
    _close(paths.data, mask & ~through)


def _holds(folder: Path, landing: AnyPath) -> bool:
    return not is_object(landing) and landing.is_relative_to(folder)


def _inside(path: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(path, topdown=False):
        yield from (Path(folder) / name for name in files)
        yield Path(folder)


def _is_too_open(path: Path, mask: int) -> bool:
    return not path.is_symlink() and bool(path.stat().st_mode & mask)


def _close(path: Path, mask: int) -> None:
    if _is_too_open(path, mask):
        path.chmod(path.stat().st_mode & 0o7777 & ~mask)
