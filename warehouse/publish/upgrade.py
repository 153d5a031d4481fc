"""Moves the published file of release 0.2, `published/marts.duckdb`, to `published/sendmart.duckdb`.

Remove this module in release 0.4.
"""

from contextlib import suppress

import duckdb

from warehouse.config import DataPaths
from warehouse.publish import pointer
from warehouse.publish.kept_builds import replace_with_link


def move_published_file(paths: DataPaths) -> None:
    """Gives the file of 0.2 its new name. After a kill, `current.json` names a file that exists; the next call goes on."""
    old, new = paths.published_marts_of_0_2, paths.new_published_marts
    if old.exists():
        if not new.exists():
            replace_with_link(old, new)
        # A damaged file has no build to name. The next publication replaces it.
        with suppress(duckdb.Error):
            pointer.write_pointer(paths)
    for name in (old.name, f"{old.name}.wal", f".{old.name}.tmp", f".{old.name}.tmp.wal"):
        old.with_name(name).unlink(missing_ok=True)
