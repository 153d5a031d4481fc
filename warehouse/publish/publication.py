"""Publication and rollback: a build becomes `published/sendmart.duckdb` in one rename. The file itself says which build it
is. After a kill, the ledger and `current.json` follow it (`recover_publication`).

Not here: the release gate (`quality.gate`), what changes (`build_diff`), Spark's tables (`warehouse.transform.spark`).
"""

import logging
from datetime import datetime
from pathlib import Path

import duckdb

from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import corruption_reason
from warehouse.ledger import Build, Ledger, now
from warehouse.publish import pointer
from warehouse.publish.kept_builds import BuildNotFound, KeptBuilds
from warehouse.publish.published_file import BuildInfo, is_file_masked, read_build_info, write_published_file
from warehouse.publish.upgrade import move_published_file
from warehouse.storage import atomic_replace, link_or_copy, remove
from warehouse.transform.spark.builds import SparkBuild, is_spark

log = logging.getLogger("sendmart.publication")


def publish(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> datetime:
    """Publishes the candidate and returns the time (UTC). A kill at any point leaves one build published; it can be repeated."""
    info = BuildInfo(build.build_id, now(), build.data_until)
    path, kept_builds = paths.published_marts, KeptBuilds(paths.kept_builds, ledger)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path, overrides = paths.temp_path(path), ledger.overrides(build.build_id)
    write_published_file(settings, paths, ledger, temp_path, info, overrides[-1].reason if overrides else None)
    # The published build may come from a release that kept none.
    if (previous := published_build(paths)) and not kept_builds.path_of(previous.build_id).exists():
        kept_builds.keep(path, previous.build_id)
    kept_builds.keep(temp_path, build.build_id)
    # A build that is published again under other settings has other content: earlier exports of it do not count.
    ledger.forget_exports_of(build.build_id)
    pointer.upload_builds(paths)
    _switch_readers(settings, paths, build.build_id, temp_path)
    ledger.record_publication(build.build_id, info.published_at)
    kept_builds.prune(settings.build_retention)
    pointer.delete_stale_objects(paths)
    return info.published_at


def is_published(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> bool:
    """Whether this build is published, with masked numbers if the settings ask for it."""
    last = ledger.last_publication()
    if last is None or last[0] != build.build_id or not paths.published_marts.exists():
        return False
    if not pointer.is_pointer_current(paths, build.build_id):
        return False
    if is_spark(settings) and not SparkBuild(settings, paths, build.build_id).is_published:
        return False
    try:
        return is_file_masked(paths.published_marts) == settings.mask_phone_numbers
    except duckdb.Error:  # a damaged file is published again
        return False


def published_build(paths: DataPaths) -> BuildInfo | None:
    """The build in the published file. None if there is no file, or if it is damaged."""
    if not paths.published_marts.exists():
        return None
    try:
        return read_build_info(paths.published_marts)
    except duckdb.Error as error:
        log.warning("cannot read %s: %s", paths.published_marts, error)
        return None


def recover_publication(paths: DataPaths, ledger: Ledger) -> None:
    """Completes a publication or rollback that was killed, from the published file; moves the file of 0.2 first."""
    move_published_file(paths)
    published, last = published_build(paths), ledger.last_publication()
    if published is None:
        return
    if not pointer.is_pointer_current(paths, published.build_id):
        pointer.write_pointer(paths)
    if last is not None and last[0] == published.build_id:
        return
    recorded = [(publication.build_id, publication.published_at) for publication in ledger.publications()]
    if last is not None and (published.build_id, published.published_at) in recorded:
        ledger.record_publication(published.build_id, now(), rolled_back_from=last[0])
    else:
        ledger.record_publication(published.build_id, published.published_at)


def replace_uploaded_files(paths: DataPaths) -> None:
    """Replaces published files in the object store after an erasure has rewritten them, and deletes the old objects."""
    pointer.upload_files(paths, *sorted(paths.audits.glob("*.html")))
    if published_build(paths):
        pointer.write_pointer(paths)
    pointer.delete_stale_objects(paths)


def rollback(settings: Settings, paths: DataPaths, ledger: Ledger, build_id: str) -> None:
    """Publishes a kept build again; a kill leaves one build published. Raises BuildNotFound with the reason why it cannot."""
    recover_publication(paths, ledger)
    kept_builds = KeptBuilds(paths.kept_builds, ledger)
    build_file, last_publication = kept_builds.find(build_id), ledger.last_publication()
    if last_publication is None or build_id == last_publication[0]:
        raise BuildNotFound(f"build {build_id} is already published")
    if reason := corruption_reason(build_file):
        raise BuildNotFound(f"{reason}; the published build stays")
    if settings.mask_phone_numbers and not is_file_masked(build_file):
        raise BuildNotFound(f"build {build_id} holds whole numbers, and SENDMART_MASK_PHONE_NUMBERS is set")
    if is_spark(settings) and not SparkBuild(settings, paths, build_id).mart_tables:
        reason = "DuckDB computed it, or a contact was erased since"
        raise BuildNotFound(f"Spark has no tables of build {build_id}: {reason}")
    if not kept_builds.path_of(last_publication[0]).exists() and paths.published_marts.exists():
        kept_builds.keep(paths.published_marts, last_publication[0])
    temp_path = paths.temp_path(paths.published_marts)
    link_or_copy(build_file, temp_path)
    _switch_readers(settings, paths, build_id, temp_path)
    ledger.record_publication(build_id, now(), rolled_back_from=last_publication[0])


def _switch_readers(settings: Settings, paths: DataPaths, build_id: str, temp_path: Path) -> None:
    """Lets all readers see a build: those of Spark, of the published file, and of `current.json`."""
    if is_spark(settings):
        # Masked as the file is, whatever the settings say now: readers of both engines see the same.
        SparkBuild(settings, paths, build_id).publish(temp_path, is_masked=is_file_masked(temp_path))
    path = paths.published_marts
    # A write-ahead log belongs to the file that it was written for. A reader that wrote may have left one.
    remove(path.with_name(f"{path.name}.wal"))
    atomic_replace(temp_path, path)
    # If both names were of the same file, the rename did nothing.
    temp_path.unlink(missing_ok=True)
    pointer.write_pointer(paths)
