"""Atomic writes, and removal, of files on disk and in an object store.

A finished file is synced and renamed over the old one, so that a reader, and a restart after a power cut, finds one of the
two and never part of one.
"""

import os
import shutil
from pathlib import Path

from warehouse.storage import object_store
from warehouse.storage.object_store import AnyPath, is_object


def atomic_replace(temp_path: Path, path: AnyPath) -> None:
    """Moves a finished file from `temp_path`, on the same disk, to `path`; uploads it if that is in an object store."""
    if is_object(path):
        object_store.put(temp_path, path)
        temp_path.unlink()
        return
    sync_file(temp_path)
    temp_path.replace(path)
    sync_folder(path.parent)


def exists(path: AnyPath) -> bool:
    return object_store.exists(path) if is_object(path) else path.exists()


def names_in(folder: AnyPath) -> list[str]:
    """The sorted names of the files below a folder or prefix, relative to it; empty if it does not exist."""
    if is_object(folder):
        return sorted(object_store.list_objects(folder))
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(file.relative_to(folder).as_posix() for file in files)


def remove(path: AnyPath) -> None:
    """Removes a file; does nothing if there is none."""
    if is_object(path):
        object_store.remove(path)
        return
    if path.exists():
        path.unlink()
        sync_folder(path.parent)


def link_or_copy(file: Path, to: Path) -> None:
    """Gives a file a second name. Copies it where the file system has no hard links."""
    to.unlink(missing_ok=True)
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
