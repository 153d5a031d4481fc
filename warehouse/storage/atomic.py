"""Atomic writes: a finished file is renamed over the old one and synced; and removal of files, on disk or in an object store."""

import os
from pathlib import Path

from warehouse.storage import object_store
from warehouse.storage.object_store import AnyPath, is_object


def atomic_replace(written: Path, path: AnyPath) -> None:
    """Moves a finished file to where it is read, so that at any moment, and after a power cut, there is one or the other."""
    if is_object(path):
        object_store.put(written, path)
        written.unlink()
        return
    sync_file(written)
    written.replace(path)
    sync_folder(path.parent)


def exists(path: AnyPath) -> bool:
    return object_store.exists(path) if is_object(path) else path.exists()


def names_in(folder: AnyPath) -> list[str]:
    """The names of the files below a folder or prefix, in order; none where it is not there."""
    if is_object(folder):
        return sorted(object_store.listed(folder))
    below = (Path(inner, name) for inner, _, files in os.walk(folder) for name in files)
    return sorted(file.relative_to(folder).as_posix() for file in below)


def remove(path: AnyPath) -> None:
    """Removes a file that may not be there."""
    if is_object(path):
        object_store.remove(path)
        return
    if path.exists():
        path.unlink()
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
