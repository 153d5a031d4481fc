"""Publication: a candidate becomes `published/sendmart.duckdb`, whole, in one rename; and the way back to an earlier build.

Readers keep the file that they have open; who opens it next sees the new build. The file that is being built is never
the one that is read. The last published builds are kept, `published/builds/<build id>.duckdb`: the current one is the same
file under a second name, so that it takes no space of its own until another is published.

The published file itself says which build it is, and is believed: a kill after the rename leaves only a ledger, and a
`current.json`, that do not know of it yet (`settle`).

Not here: whether a candidate may be published (`quality.gate`), what changed between builds (`warehouse.publish.build_diff`).
"""

import logging
import shutil
from datetime import datetime
from pathlib import Path

import duckdb

from models.marts import MARTS, SCHEMA, columns, description, published_columns
from warehouse.foundation import (
    Build,
    DataPaths,
    Ledger,
    Settings,
    atomic_replace,
    corruption_reason,
    holds_rows,
    literal,
    now,
    remove,
)
from warehouse.publish import pointer
from warehouse.publish.kept_builds import BuildNotFound, _keep, _kept, _link, kept_file, prune
from warehouse.publish.masking import _is_masked, _write_masked, _write_rows
from warehouse.publish.upgrade import move_published_file
from warehouse.transform import spark
from warehouse.transform.build import sendmart_version

log = logging.getLogger("sendmart.publication")


def publish(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> datetime:
    """Publishes the candidate; gives the moment of publication (UTC).

    Killed at any point, it leaves the old build or the new one, and can be repeated.
    """
    published_at = now()
    path = paths.published_marts
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.tmp")
    for leftover in (temp_path, temp_path.with_name(f"{temp_path.name}.wal")):
        leftover.unlink(missing_ok=True)
    if settings.mask_phone_numbers:
        _write_masked(settings, paths, ledger, temp_path)
    elif spark.is_spark(settings) and settings.spark_export:
        _write_rows(settings, paths, temp_path)
    else:
        shutil.copyfile(paths.candidate, temp_path)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(temp_path)} as publication")
        overrides = ledger.overrides(build.build_id)
        _add_build_info(connection, settings, build, published_at, overrides[-1].reason if overrides else None)
        _add_comments(connection, is_masked=settings.mask_phone_numbers)
        connection.execute("checkpoint publication")
        connection.execute("detach publication")
    # That which is published now may come from a version that kept none.
    if (before := published_build(paths)) and not _kept(paths, before[0]).exists():
        _keep(paths, path, before[0])
    _keep(paths, temp_path, build.build_id)
    # Published again, under another setting: what was exported of it is not what it is about to hold.
    ledger.forget_exports_of(build.build_id)
    pointer.send_builds(paths)
    if spark.is_spark(settings):
        spark.publish_build(settings, paths, build.build_id, temp_path, is_masked=settings.mask_phone_numbers)
    _swap_in(paths, temp_path)
    pointer.announce(paths)
    ledger.record_publication(build.build_id, published_at)
    prune(paths, ledger, settings.build_retention)
    pointer.tidy(paths)
    return published_at


def is_published(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> bool:
    """Whether the build is what is published, with its numbers masked or not as is set."""
    last = ledger.last_publication()
    if last is None or last[0] != build.build_id or not paths.published_marts.exists():
        return False
    if not pointer.is_announced(paths, build.build_id):
        return False
    if spark.is_spark(settings) and not spark.is_published(paths, build.build_id):
        return False
    try:
        return _is_masked(paths.published_marts) == settings.mask_phone_numbers
    except duckdb.Error:  # what cannot be read is published again
        return False


def published_build(paths: DataPaths) -> tuple[str, datetime] | None:
    """The build that the published file holds, and when that was made; None where there is none to be read."""
    if not paths.published_marts.exists():
        return None
    try:
        build_id, published_at, _ = pointer.build_info(paths.published_marts)
    except duckdb.Error as error:
        log.warning("%s cannot be read: %s", paths.published_marts, error)
        return None
    return build_id, published_at


def settle(paths: DataPaths, ledger: Ledger) -> None:
    """Completes a publication or a rollback that was killed: `current.json` and the ledger follow the published file.

    Moves the published file of release 0.2 first.
    """
    move_published_file(paths)
    published, last = published_build(paths), ledger.last_publication()
    if published is None:
        return
    if not pointer.is_announced(paths, published[0]):
        pointer.announce(paths)
    if last is not None and last[0] == published[0]:
        return
    if published in [(publication.build_id, publication.published_at) for publication in ledger.publications()]:
        ledger.record_publication(published[0], now(), rolled_back_from=last[0])
    else:
        ledger.record_publication(*published)


def upload_erased(paths: DataPaths) -> None:
    """Has everybody read what files of builds and pages hold after an erasure, and no longer what they held before."""
    pointer.send(paths, *sorted(paths.audits.glob("*.html")))
    if published_build(paths):
        pointer.announce(paths)
    pointer.tidy(paths)


# --- kept builds


def rollback(settings: Settings, paths: DataPaths, ledger: Ledger, build_id: str) -> None:
    """Makes a kept build the published one again.

    Killed at any point, it leaves the one build or the other, and can be repeated.

    Raises:
        BuildNotFound: the build is not kept, is the one that is published, is damaged, or tells numbers that are to be masked
            now.
    """
    settle(paths, ledger)
    kept, left = kept_file(paths, ledger, build_id), ledger.last_publication()[0]
    if build_id == left:
        raise BuildNotFound(f"build {build_id} is what is published")
    if fault := corruption_reason(kept):
        raise BuildNotFound(f"{fault}: what is published stays; sendmart status names the builds that are kept")
    if settings.mask_phone_numbers and not _is_masked(kept):
        raise BuildNotFound(
            f"build {build_id} was published with whole numbers, and SENDMART_MASK_PHONE_NUMBERS is set"
        )
    if spark.is_spark(settings) and not spark.has_marts(paths, build_id):
        raise BuildNotFound(f"Spark has no tables of build {build_id}: it was made by DuckDB, or before an erasure")
    if not _kept(paths, left).exists() and paths.published_marts.exists():
        _keep(paths, paths.published_marts, left)
    temp_path = paths.published_marts.with_name(f".{paths.published_marts.name}.tmp")
    _link(kept, temp_path)
    if spark.is_spark(settings):
        # As it was published, whatever is set now: both kinds of readers see the same.
        spark.publish_build(settings, paths, build_id, temp_path, is_masked=_is_masked(kept))
    _swap_in(paths, temp_path)
    pointer.announce(paths)
    ledger.record_publication(build_id, now(), rolled_back_from=left)


def _swap_in(paths: DataPaths, temp_path: Path) -> None:
    path = paths.published_marts
    # A write-ahead log belongs to the file it came with: left by a reader who wrote, it would spoil the next.
    remove(path.with_name(f"{path.name}.wal"))
    atomic_replace(temp_path, path)
    # Where both names are of one file already, a rename does nothing.
    temp_path.unlink(missing_ok=True)


# --- rows that lie elsewhere, and masked numbers


def _add_build_info(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    build: Build,
    published_at: datetime,
    override_reason: str | None,
) -> None:
    definition = ", ".join(
        f"{column.name} {column.sql_type}{'' if column.nullable else ' not null'}" for column in columns("build_info")
    )
    connection.execute(f"create or replace table publication.{SCHEMA}.build_info ({definition})")
    connection.execute(
        f"insert into publication.{SCHEMA}.build_info by name select $build_id as build_id,"
        " $published_at::timestamp as published_at, $data_until::date as data_until, $version as version,"
        " $settings as settings, $override_reason as override_reason",
        {
            "build_id": build.build_id,
            "published_at": published_at.replace(tzinfo=None),
            "data_until": build.data_until,
            "version": sendmart_version(),
            "settings": settings.as_json(),
            "override_reason": override_reason,
        },
    )


def _add_comments(connection: duckdb.DuckDBPyConnection, *, is_masked: bool) -> None:
    for mart in MARTS:
        table = f"publication.{SCHEMA}.{mart}"
        kind = "table" if holds_rows(connection, "publication", SCHEMA, mart) else "view"
        connection.execute(f"comment on {kind} {table} is {literal(description(mart))}")
        for column in published_columns(mart, is_masked=is_masked):
            connection.execute(f"comment on column {table}.{column.name} is {literal(column.description)}")
