"""Moves the published file of release 0.2, `published/marts.duckdb`, to `published/sendmart.duckdb`.

Remove this module in release 0.4.
"""

from contextlib import suppress

import duckdb

from warehouse.foundation import DataPaths, atomic_replace, remove
from warehouse.publish import pointer
from warehouse.publish.kept_builds import link_or_copy


def move_published_file(paths: DataPaths) -> None:
    """Gives the published file of release 0.2 its new name, then removes the old name.

    After a kill at any point, `current.json` names a file that exists, and the next call completes the move.
    """
    old, file = paths.published_marts_of_0_2, paths.new_published_marts
    if old.exists():
        if not file.exists():
            temp_path = file.with_name(f".{file.name}.tmp")
            link_or_copy(old, temp_path)
            atomic_replace(temp_path, file)
        # A damaged file has no build to name. The next publication replaces it.
        with suppress(duckdb.Error):
            pointer.write_pointer(paths)
    for name in (old.name, f"{old.name}.wal", f".{old.name}.tmp", f".{old.name}.tmp.wal"):
        remove(paths.published / name)
