"""File modes: Sendmart's files are readable by its own user only, or by a group as well if SENDMART_UMASK allows it.

Not here: masking of phone numbers (`models.masking`), erasure (`warehouse.erasure`), the permissions of the landing zone,
which belongs to the systems that deliver to it.
"""

import os
from pathlib import Path

from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.storage import is_object


def apply_umask(settings: Settings) -> None:
    """Sets the umask of this process and of the processes that it starts."""
    os.umask(int(settings.umask, 8))


def restrict_existing(settings: Settings, paths: DataPaths) -> None:
    """Removes the permissions that the umask forbids from existing files. Looks only into folders that are too open
    themselves, so that an old data folder is corrected once. Leaves the landing zone alone.
    """
    mask = int(settings.umask, 8)
    landing = None if is_object(settings.landing) else settings.landing
    roots: list[Path] = sorted(paths.data.iterdir()) if paths.data.is_dir() else []
    elsewhere = (paths.lake, paths.published, paths.exports)
    roots += [folder for folder in elsewhere if not is_object(folder) and folder.is_dir()]
    for root in dict.fromkeys(roots):
        if _is_too_open(root, mask) and not (landing and landing.is_relative_to(root)):
            for folder, _, files in os.walk(root, topdown=False):
                for name in (*files, "."):
                    _restrict(Path(folder) / name, mask)
            _restrict(root, mask)
    # Other systems deliver as other users: they must be able to pass through to a landing zone in the data folder.
    passage = 0o011 if landing and landing.is_relative_to(paths.data) else 0
    _restrict(paths.data, mask & ~passage)


def _is_too_open(path: Path, mask: int) -> bool:
    return not path.is_symlink() and bool(path.stat().st_mode & mask)


def _restrict(path: Path, mask: int) -> None:
    if _is_too_open(path, mask):
        path.chmod(path.stat().st_mode & 0o7777 & ~mask)
