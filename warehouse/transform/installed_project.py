"""The dbt project as it was parsed at installation. A new data folder takes it over, because dbt needs seconds to parse it.

`make install` writes one file for each set of settings that it parses for. Nothing else writes them, so any number of users
and processes can read them. A file of other project files, settings or releases of dbt is not found, and dbt parses.

Not here: when the project is parsed (`warehouse.transform.dbt_runner`).
"""

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types; dbt writes the parsed project with it

from warehouse.config import PROJECT, DataPaths, Settings
from warehouse.storage import atomic_replace

FOLDER = PROJECT / "dbt_project" / "target" / "installed"

_LAKE = "/lake-of-a-data-folder"
"""Stands for the lake, which is all that a parsed project contains of its data folder."""

_IS_COPIED_LITERALLY = re.compile(r"""[^'"\\\[\]*?{}]+""")
"""The paths of lakes that the project's sources do not escape."""


def take_over(key: str, paths: DataPaths) -> bool:
    """Writes the files of a parsed project into dbt's target folder; False if it was not parsed at installation.

    `key` is a digest of everything that it was parsed from, except the data folder.
    """
    lake = str(paths.lake)
    if not _IS_COPIED_LITERALLY.fullmatch(lake):
        return False
    try:
        files = msgpack.unpackb((FOLDER / f"{key}.msgpack").read_bytes())
        manifest, project = files["manifest"], msgpack.unpackb(files["project"])
        project["sources"] = _with_lake(project["sources"], lake)
    except (OSError, ValueError, KeyError, TypeError):  # not there, not readable, or damaged
        return False
    (paths.dbt_target / "partial_parse.msgpack").write_bytes(msgpack.packb(project))
    (paths.dbt_target / "manifest.json").write_text(manifest.replace(_LAKE, json.dumps(lake)[1:-1]), encoding="utf-8")
    return True


def _with_lake(value: Any, lake: str) -> Any:
    if isinstance(value, dict):
        return {name: _with_lake(item, lake) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_lake(item, lake) for item in value]
    return value.replace(_LAKE, lake) if isinstance(value, str) else value


def write(with_insights: Iterable[bool] = (False, True)) -> None:
    """Parses the project with the default settings, without and with the insights, and replaces what was there."""
    from warehouse.transform.dbt_runner import installed_key, run_dbt

    written = set()
    for has_insights in with_insights:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(insights=has_insights, data=Path(folder))
            paths = DataPaths(settings.data, lake_override=Path(_LAKE))
            run_dbt(settings, paths, ["parse"])
            files = {
                "manifest": (paths.dbt_target / "manifest.json").read_text(encoding="utf-8"),
                "project": (paths.dbt_target / "partial_parse.msgpack").read_bytes(),
            }
        file = FOLDER / f"{installed_key(settings)}.msgpack"
        file.parent.mkdir(parents=True, exist_ok=True)
        temp_file = file.with_suffix(".tmp")
        temp_file.write_bytes(msgpack.packb(files))
        temp_file.chmod(0o644)
        atomic_replace(temp_file, file)
        written.add(file)
    for other in FOLDER.glob("*.msgpack"):
        if other not in written:
            other.unlink(missing_ok=True)


if __name__ == "__main__":
    write()
