"""Whether the landing zone is there at all. An empty mount point looks like a landing zone on which nothing arrived, also if
it holds a note or `lost+found`.

A landing zone that somebody tidied keeps folders of its logs or sources, or the objects that stand for folders.

Not here: the files in it (`warehouse.landing.scan`).
"""

import os
from collections.abc import Collection
from pathlib import Path

from warehouse.landing.names import log_named_like
from warehouse.storage import AnyPath, is_object, list_objects


class LandingZoneMissing(Exception):
    """The landing zone does not exist, or has no folder of a log or source where files were before. The message says which."""


def check_presence(landing: AnyPath, *, has_loaded_files: bool, folders_of_sources: Collection[str] = ()) -> None:
    """Checks that there is a landing zone. `has_loaded_files`: log files were loaded before.

    Raises:
        LandingZoneMissing: there is none. A new prefix of an object store is no error: it exists once it holds an object.
    """
    if is_object(landing):
        names = list_objects(landing)
        folders = {folder for folder, slash, _ in (name.partition("/") for name in names) if slash}
        is_empty = not names
    elif not landing.exists():
        raise LandingZoneMissing(f"{landing} does not exist")
    else:
        with os.scandir(landing) as scanned:
            entries = [entry for entry in scanned if not entry.name.startswith(".")]
        folders = {entry.name for entry in entries if Path(entry.path).is_dir()}
        is_empty = not entries
    if has_loaded_files and not any(log_named_like(name) or name in folders_of_sources for name in folders):
        found = "is empty" if is_empty else "holds no folder of a log or a source"
        raise LandingZoneMissing(f"{landing} {found}, and log files were loaded from it before")
