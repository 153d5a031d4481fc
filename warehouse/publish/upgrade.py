"""Moves the published file of release 0.2, `published/marts.duckdb`, to `published/sendmart.duckdb`.

Remove this module in release 0.4.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb

from warehouse.publish.kept_builds import replace_with_link


def move_published_file(old: Path, new: Path, write_pointer: Callable[[], None]) -> None:
    """Gives the published file of release 0.2 its new name, then removes the old name.

    `write_pointer` writes `current.json` for the new name. After a kill at any point, `current.json` names a file that
    exists, and the next call completes the move.
    """
    if old.exists():
        if not new.exists():
            replace_with_link(old, new)
        # A damaged file has no build to name. The next publication replaces it.
        with suppress(duckdb.Error):
            write_pointer()
    for name in (old.name, f"{old.name}.wal", f".{old.name}.tmp", f".{old.name}.tmp.wal"):
        old.with_name(name).unlink(missing_ok=True)
