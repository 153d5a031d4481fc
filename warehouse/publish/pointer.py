"""`published/current.json`: which build is published, in which file; and the copy of what is published in an object store.

On a disk it stands beside `sendmart.duckdb`. In an object store the builds are `builds/<build id>-<hash>.duckdb`, each never
written again under its name, and `current.json`, written last, names the one that counts: who follows it never sees half
of a build, nor one build under the name of another. The data folder keeps what is published as it does without a store;
what is in the store is made from that, so that a copy that was broken off is simply made again.

Not here: what is published, and which builds are kept (`warehouse.publish.publication`).
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import duckdb

from models.marts import SCHEMA
from warehouse.foundation import (
    AnyPath,
    Checksum,
    DataPaths,
    atomic_replace,
    list_objects,
    literal,
    read_object,
    remove,
    upload,
)

_HASH_DIGITS = 12


def build_info(marts: Path) -> tuple[str, datetime, date | None]:
    """The build that a file of marts holds, when that was published, and until when its data go."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(marts)} as publication (read_only)")
        build_id, published_at, data_until = connection.execute(
            f"select build_id, published_at, data_until from publication.{SCHEMA}.build_info"
        ).fetchone()
    return build_id, published_at.replace(tzinfo=UTC), data_until


def announce(paths: DataPaths) -> None:
    """Says which build is published, to those who read on the disk and to those who read in the store: last of all."""
    build_id, published_at, data_until = build_info(paths.published_marts)
    content = _content(paths.published_marts)
    told = {
        "build_id": build_id,
        "published_at": published_at.isoformat().replace("+00:00", "Z"),
        "data_until": data_until and data_until.isoformat(),
        "marts": {"file": paths.published_marts.name, "size": content.size, "sha256": content.sha256},
        "quarantine": paths.published_quarantine.name,
    }
    _write(paths, paths.current, told)
    if (store := paths.published_store) is not None:
        send_builds(paths)
        told["marts"]["file"] = _name_in_store(build_id, content)
        _write(paths, store / paths.current.name, told)


def is_announced(paths: DataPaths, build_id: str) -> bool:
    """Whether everybody is told that this build is published, and that its file is the one on the disk."""
    try:
        told = json.loads(paths.current.read_bytes())
        if told["build_id"] != build_id or told["marts"]["file"] != paths.published_marts.name:
            return False
        if (store := paths.published_store) is None:
            return True
        in_store = json.loads(read_object(store / paths.current.name))
        return in_store["marts"]["sha256"] == told["marts"]["sha256"]
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _write(paths: DataPaths, path: AnyPath, told: dict[str, object]) -> None:
    temp_path = paths.temp_path(path)
    temp_path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    atomic_replace(temp_path, path)


# --- the copy in an object store


def send_builds(paths: DataPaths) -> None:
    """Sends the builds that are kept and not in the store yet; nobody reads them before they are announced."""
    if (store := paths.published_store) is None:
        return
    there = list_objects(store / "builds")
    for name, file in _builds(paths):
        sent = there.get(name.removeprefix("builds/"))
        if sent is None or sent.size != file.stat().st_size:
            upload(file, store / name)


def send(paths: DataPaths, *files: Path) -> None:
    """Sends files that lie beside the builds, such as the quarantine: each replaces what was there."""
    if (store := paths.published_store) is not None:
        for file in files:
            upload(file, store / file.relative_to(paths.published).as_posix())


def tidy(paths: DataPaths) -> None:
    """Removes from the store what is no longer on the disk: builds and audit pages, by names that are ours."""
    if (store := paths.published_store) is None:
        return
    kept = {name for name, _ in _builds(paths)} | {f"audits/{page.name}" for page in paths.audits.glob("*.html")}
    for name in list_objects(store):
        folder, _, file = name.partition("/")
        if (folder, Path(file).suffix) in (("builds", ".duckdb"), ("audits", ".html")) and name not in kept:
            remove(store / name)


def _builds(paths: DataPaths) -> Iterator[tuple[str, Path]]:
    """The kept builds, each with its name in the store."""
    for file in sorted(paths.kept_builds.glob("[!.]*.duckdb")):
        yield _name_in_store(file.stem, _content(file)), file


def _name_in_store(build_id: str, content: Checksum) -> str:
    # Erased or masked, a build has another content under its id: so the content is part of the name.
    return f"builds/{build_id}-{content.sha256[:_HASH_DIGITS]}.duckdb"


def _content(file: Path) -> Checksum:
    stat = file.stat()
    return _content_of(file, stat.st_ino, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _content_of(file: Path, *_stamp: int) -> Checksum:
    return Checksum.of(file)
