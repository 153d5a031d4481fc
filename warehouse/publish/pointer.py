"""`published/current.json`: which build is published, and in which file; and the copy of published files in an object store.
There, `builds/<build id>-<hash>.duckdb` never changes, and `current.json` is written last: nobody reads half a build.

Not here: which build is published and which are kept (`warehouse.publish.publication`).
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from warehouse.config import DataPaths
from warehouse.publish.published_file import read_build_info
from warehouse.storage import AnyPath, Checksum, list_objects, read_json_object, read_object, remove, upload

_HASH_DIGITS = 12


def write_pointer(paths: DataPaths) -> None:
    """Writes `current.json` to disk, uploads the builds, then writes it to the store. Raises duckdb.Error if damaged."""
    build_id, published_at, data_until = read_build_info(paths.published_marts)
    checksum = _checksum(paths.published_marts)
    marts = {"file": paths.published_marts.name, "size": checksum.size, "sha256": checksum.sha256}
    pointer = {
        "build_id": build_id,
        "published_at": published_at.isoformat().replace("+00:00", "Z"),
        "data_until": data_until and data_until.isoformat(),
        "marts": marts,
        "quarantine": paths.published_quarantine.name,
    }
    _write(paths, paths.current, pointer)
    if (store := paths.published_store) is not None:
        upload_builds(paths)
        marts["file"] = _object_name(build_id, checksum)
        _write(paths, store / paths.current.name, pointer)


def is_pointer_current(paths: DataPaths, build_id: str) -> bool:
    """Whether `current.json` names this build and the published file, on the disk and in the object store."""
    try:
        pointer = read_json_object(paths.current)
        if pointer["build_id"] != build_id or pointer["marts"]["file"] != paths.published_marts.name:
            return False
        if (store := paths.published_store) is None:
            return True
        in_store = json.loads(read_object(store / paths.current.name))
        return bool(in_store["marts"]["sha256"] == pointer["marts"]["sha256"])
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        # missing, damaged, or JSON of another shape
        return False


def _write(paths: DataPaths, path: AnyPath, pointer: dict[str, Any]) -> None:
    with paths.atomic_write(path) as temp_path:
        temp_path.write_text(json.dumps(pointer, indent=2) + "\n", encoding="utf-8")


# --- the copy in an object store


def upload_builds(paths: DataPaths) -> None:
    """Uploads the kept builds that the object store lacks. Readers use them once `current.json` names them."""
    if (store := paths.published_store) is None:
        return
    objects = list_objects(store / "builds")
    for name, file in _kept_builds(paths):
        uploaded = objects.get(name.removeprefix("builds/"))
        if uploaded is None or uploaded.size != file.stat().st_size:
            upload(file, store / name)


def upload_files(paths: DataPaths, *files: Path) -> None:
    """Uploads files beside the builds, such as the quarantine. Each replaces its object. Without a store, does nothing."""
    if (store := paths.published_store) is not None:
        for file in files:
            upload(file, store / file.relative_to(paths.published).as_posix())


def delete_stale_objects(paths: DataPaths) -> None:
    """Deletes builds and audit pages from the object store that are no longer on the disk. Leaves other names alone."""
    if (store := paths.published_store) is None:
        return
    names_on_disk = {name for name, _ in _kept_builds(paths)}
    names_on_disk |= {f"audits/{page.name}" for page in paths.audits.glob("*.html")}
    for name in list_objects(store):
        folder, _, file = name.partition("/")
        if (folder, Path(file).suffix) in (("builds", ".duckdb"), ("audits", ".html")) and name not in names_on_disk:
            remove(store / name)


def _kept_builds(paths: DataPaths) -> Iterator[tuple[str, Path]]:
    """The kept builds, each with its name in the object store."""
    for file in sorted(paths.kept_builds.glob("[!.]*.duckdb")):
        yield _object_name(file.stem, _checksum(file)), file


def _object_name(build_id: str, checksum: Checksum) -> str:
    # After an erasure or with masked numbers, a build has other content under the same id: the name contains the hash.
    return f"builds/{build_id}-{checksum.sha256[:_HASH_DIGITS]}.duckdb"


def _checksum(file: Path) -> Checksum:
    stat = file.stat()
    return _cached_checksum(file, stat.st_ino, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _cached_checksum(file: Path, *_stat: int) -> Checksum:
    return Checksum.of(file)
