"""Atomic writes: a finished file is renamed over the old one and synced; and removal of files, on disk or in an object store."""

import os
from pathlib import Path

from warehouse.storage import object_store
from warehouse.storage.object_store import Place, is_object


def atomic_replace(written: Path, place: Place) -> None:
    """Moves a finished file to where it is read, so that at any moment, and after a power cut, there is one or the other."""
    if is_object(place):
        object_store.put(written, place)
        written.unlink()
        return
    sync_file(written)
    written.replace(place)
    sync_folder(place.parent)


def exists(place: Place) -> bool:
    return object_store.exists(place) if is_object(place) else place.exists()


def names_in(folder: Place) -> list[str]:
    """The names of the files below a folder or prefix, in order; none where it is not there."""
    if is_object(folder):
        return sorted(object_store.listed(folder))
    below = (Path(inner, name) for inner, _, files in os.walk(folder) for name in files)
    return sorted(file.relative_to(folder).as_posix() for file in below)


def remove(place: Place) -> None:
    """Removes a file that may not be there."""
    if is_object(place):
        object_store.remove(place)
        return
    if place.exists():
        place.unlink()
        sync_folder(place.parent)


def sync_file(place: Path) -> None:
    with place.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
