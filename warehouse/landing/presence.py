"""Whether the landing zone is there at all. An empty mount point looks like a landing zone on which nothing arrived.

A landing zone that somebody tidied keeps the folders of its logs, or the objects that stand for folders.

Not here: the files in it (`warehouse.landing.scan`).
"""

import os

from warehouse.storage import AnyPath, is_object, list_objects


class LandingZoneMissing(Exception):
    """The landing zone does not exist, or is empty where files were before. The message says which, as a sentence."""


def check_presence(landing: AnyPath, *, has_loaded_files: bool) -> None:
    """Checks that there is a landing zone. `has_loaded_files`: log files were loaded before.

    Raises:
        LandingZoneMissing: there is none. A new prefix of an object store is no error: it exists once it holds an object.
    """
    if is_object(landing):
        is_empty = not list_objects(landing)
    elif not landing.exists():
        raise LandingZoneMissing(f"{landing} does not exist")
    else:
        with os.scandir(landing) as entries:
            is_empty = all(entry.name.startswith(".") for entry in entries)
    if is_empty and has_loaded_files:
        raise LandingZoneMissing(f"{landing} is empty, and log files were loaded from it before")
