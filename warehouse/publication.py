"""Publication: a candidate becomes `published/marts.duckdb`, whole, in one rename; and the way back to an earlier build.

Readers keep the file that they have open; who opens it next sees the new build. The file that is being built is never
the one that is read. The last published builds are kept, `published/builds/<build id>.duckdb`: the current one is the same
file under a second name, so that it takes no space of its own until another is published.

The published file itself says which build it is, and is believed: a kill after the rename leaves only a ledger, and a
`current.json`, that do not know of it yet (`settle`).

Not here: whether a candidate may be published (`quality.gate`), what changed between builds (`warehouse.comparison`).
"""

import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb

from models.marts import MARTS, NUMBER, NUMBER_HASH, SCHEMA, columns, description, published_columns
from models.masking import WORDS_COLUMNS
from warehouse import current, spark
from warehouse.build import sendmart_version
from warehouse.duckdb_files import fault_of, holds_rows
from warehouse.keyed_hash import keyed_hash
from warehouse.ledger import Build, Ledger, Publication, now
from warehouse.limits import keep_within_limits
from warehouse.paths import DataPaths, put_in_place, remove
from warehouse.rewriting import Column, write_anew
from warehouse.settings import Settings
from warehouse.sql import literal, masked_words

_OURS = r"\.?[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\.(duckdb|duckdb\.wal|tmp)"
"""Names in the folder of kept builds that are ours to delete."""

log = logging.getLogger("sendmart.publication")


class NotKept(Exception):
    """There is no such build to go back to."""


def publish(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> datetime:
    """Publishes the candidate; gives the moment of publication (UTC).

    Killed at any point, it leaves the old build or the new one, and can be repeated.
    """
    published_at = now()
    place = paths.published_marts
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.tmp")
    for leftover in (aside, aside.with_name(f"{aside.name}.wal")):
        leftover.unlink(missing_ok=True)
    if settings.mask_numbers:
        _write_masked(settings, paths, ledger, aside)
    elif spark.is_engine(settings) and settings.spark_export:
        _write_rows(settings, paths, aside)
    else:
        shutil.copyfile(paths.candidate, aside)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(aside)} as publication")
        overrides = ledger.overrides(build.build_id)
        _add_build_info(connection, settings, build, published_at, overrides[-1].reason if overrides else None)
        _add_comments(connection, is_masked=settings.mask_numbers)
        connection.execute("checkpoint publication")
        connection.execute("detach publication")
    # That which is published now may come from a version that kept none.
    if (before := published_build(paths)) and not _kept(paths, before[0]).exists():
        _keep(paths, place, before[0])
    _keep(paths, aside, build.build_id)
    # Published again, under another setting: what was exported of it is not what it is about to hold.
    ledger.forget_exports_of(build.build_id)
    current.send_builds(paths)
    if spark.is_engine(settings):
        spark.publish(settings, paths, build.build_id, aside, is_masked=settings.mask_numbers)
    _swap_in(paths, aside)
    current.announce(paths)
    ledger.note_publication(build.build_id, published_at)
    prune(paths, ledger, settings.kept_builds)
    current.tidy(paths)
    return published_at


def is_published(settings: Settings, paths: DataPaths, ledger: Ledger, build: Build) -> bool:
    """Whether the build is what is published, with its numbers masked or not as is set."""
    last = ledger.last_publication()
    if last is None or last[0] != build.build_id or not paths.published_marts.exists():
        return False
    if not current.is_announced(paths, build.build_id):
        return False
    if spark.is_engine(settings) and not spark.is_published(paths, build.build_id):
        return False
    try:
        return _is_masked(paths.published_marts) == settings.mask_numbers
    except duckdb.Error:  # what cannot be read is published again
        return False


def published_build(paths: DataPaths) -> tuple[str, datetime] | None:
    """The build that the published file holds, and when that was made; None where there is none to be read."""
    if not paths.published_marts.exists():
        return None
    try:
        build_id, published_at, _ = current.build_info(paths.published_marts)
    except duckdb.Error as error:
        log.warning("%s cannot be read: %s", paths.published_marts, error)
        return None
    return build_id, published_at


def settle(paths: DataPaths, ledger: Ledger) -> None:
    """Has the ledger, and all who read, know of what was published, or gone back to, where a kill came in between."""
    published, last = published_build(paths), ledger.last_publication()
    if published is None:
        return
    if not current.is_announced(paths, published[0]):
        current.announce(paths)
    if last is not None and last[0] == published[0]:
        return
    if published in [(publication.build_id, publication.published_at) for publication in ledger.publications()]:
        ledger.note_publication(published[0], now(), went_back_from=last[0])
    else:
        ledger.note_publication(*published)


def send_erased(paths: DataPaths) -> None:
    """Has everybody read what files of builds and pages hold after an erasure, and no longer what they held before."""
    current.send(paths, *sorted(paths.audits.glob("*.html")))
    if published_build(paths):
        current.announce(paths)
    current.tidy(paths)


# --- kept builds


def kept_builds(paths: DataPaths, ledger: Ledger) -> list[Publication]:
    """The last publication of each build that is kept, in order; the last is what is published."""
    last: dict[str, Publication] = {}
    for publication in ledger.publications():
        last.pop(publication.build_id, None)
        last[publication.build_id] = publication
    return [publication for publication in last.values() if _kept(paths, publication.build_id).exists()]


def kept_file(paths: DataPaths, ledger: Ledger, build_id: str) -> Path:
    """The file of a kept build.

    Raises:
        NotKept: naming those that are.
    """
    there = [publication.build_id for publication in kept_builds(paths, ledger)]
    if build_id not in there:
        raise NotKept(f"no build {build_id} is kept; there are: {', '.join(there) or 'none'}")
    return _kept(paths, build_id)


def before(paths: DataPaths, ledger: Ledger) -> str | None:
    """The build to go back to: of those that are kept, the last that was published by itself before the current one,
    and that nobody went back from.
    """
    history = [publication.build_id for publication in ledger.publications() if publication.went_back_from is None]
    left = {publication.went_back_from for publication in ledger.publications()}
    last = ledger.last_publication()
    if last is None or last[0] not in history:
        return None
    last_time = len(history) - 1 - history[::-1].index(last[0])
    earlier = (build_id for build_id in reversed(history[:last_time]) if build_id not in left | {last[0]})
    there = (build_id for build_id in earlier if _kept(paths, build_id).exists())
    return next((build_id for build_id in there if not fault_of(_kept(paths, build_id))), None)


def go_back(settings: Settings, paths: DataPaths, ledger: Ledger, build_id: str) -> None:
    """Makes a kept build the published one again.

    Killed at any point, it leaves the one build or the other, and can be repeated.

    Raises:
        NotKept: the build is not kept, is the one that is published, is damaged, or tells numbers that are to be masked
            now.
    """
    settle(paths, ledger)
    kept, left = kept_file(paths, ledger, build_id), ledger.last_publication()[0]
    if build_id == left:
        raise NotKept(f"build {build_id} is what is published")
    if fault := fault_of(kept):
        raise NotKept(f"{fault}: what is published stays; sendmart status names the builds that are kept")
    if settings.mask_numbers and not _is_masked(kept):
        raise NotKept(f"build {build_id} was published with whole numbers, and SENDMART_MASK_NUMBERS is set")
    if spark.is_engine(settings) and not spark.is_kept(paths, build_id):
        raise NotKept(f"Spark has no tables of build {build_id}: it was made by DuckDB, or before an erasure")
    if not _kept(paths, left).exists() and paths.published_marts.exists():
        _keep(paths, paths.published_marts, left)
    aside = paths.published_marts.with_name(f".{paths.published_marts.name}.tmp")
    _link(kept, aside)
    if spark.is_engine(settings):
        # As it was published, whatever is set now: both kinds of readers see the same.
        spark.publish(settings, paths, build_id, aside, is_masked=_is_masked(kept))
    _swap_in(paths, aside)
    current.announce(paths)
    ledger.note_publication(build_id, now(), went_back_from=left)


def prune(paths: DataPaths, ledger: Ledger, keep: int) -> list[str]:
    """Deletes kept builds but the last so many that were published, what is damaged, and what a kill left; gives the names."""
    whole = []
    for publication in kept_builds(paths, ledger):
        if fault := fault_of(_kept(paths, publication.build_id)):
            log.warning("%s: there is no way back to it any more", fault)
        else:
            whole.append(publication.build_id)
    last = whole[-keep:]
    wanted = {_kept(paths, build_id).name for build_id in last}
    files = [file for file in sorted(paths.kept_builds.iterdir()) if re.fullmatch(_OURS, file.name)]
    deleted = [file for file in files if file.name not in wanted]
    for file in deleted:
        file.unlink()
    return [file.name for file in deleted]


def _kept(paths: DataPaths, build_id: str) -> Path:
    return paths.kept_builds / f"{build_id}.duckdb"


def _keep(paths: DataPaths, file: Path, build_id: str) -> None:
    paths.kept_builds.mkdir(parents=True, exist_ok=True)
    aside = paths.kept_builds / f".{build_id}.tmp"
    _link(file, aside)
    put_in_place(aside, _kept(paths, build_id))


def _link(file: Path, aside: Path) -> None:
    """The same file under another name; a copy where the file system has no such thing."""
    aside.unlink(missing_ok=True)
    try:
        os.link(file, aside)
    except OSError:
        shutil.copyfile(file, aside)


def _swap_in(paths: DataPaths, aside: Path) -> None:
    place = paths.published_marts
    # A write-ahead log belongs to the file it came with: left by a reader who wrote, it would spoil the next.
    remove(place.with_name(f"{place.name}.wal"))
    put_in_place(aside, place)
    # Where both names are of one file already, a rename does nothing.
    aside.unlink(missing_ok=True)


# --- rows that lie elsewhere, and masked numbers


def _write_rows(settings: Settings, paths: DataPaths, file: Path) -> None:
    """Writes what the candidate's views show as tables, with what the contract says of nulls."""
    with duckdb.connect() as connection:
        keep_within_limits(connection, settings)
        connection.execute(f"attach {literal(paths.candidate)} as candidate (read_only)")
        write_anew(connection, "candidate", file, _as_contracted)


def _as_contracted(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    nullable = {column.name: column.nullable for column in columns(table)} if schema == SCHEMA else {}
    return [replace(column, is_nullable=nullable.get(column.name, True)) for column in found]


def _is_masked(file: Path) -> bool:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as published (read_only)")
        return is_masked(connection, "published")


def is_masked(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether the numbers of a published build, attached as `database`, are masked."""
    found = connection.execute(
        "select 1 from duckdb_columns() where (database_name, schema_name, column_name) = (?, ?, ?)",
        [database, SCHEMA, NUMBER_HASH],
    )
    return found.fetchone() is not None


def _write_masked(settings: Settings, paths: DataPaths, ledger: Ledger, file: Path) -> None:
    """Writes the candidate's tables with masked numbers, each with its keyed hash beside it."""
    with duckdb.connect() as connection:
        keep_within_limits(connection, settings)
        keyed_hash(settings, paths, ledger).show(connection)
        connection.execute(f"attach {literal(paths.candidate)} as candidate (read_only)")
        write_anew(connection, "candidate", file, _masked_as_contracted if spark.is_engine(settings) else _masked)


def _masked_as_contracted(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    return _masked(schema, table, _as_contracted(schema, table, found))


def _masked(schema: str, table: str, found: Sequence[Column]) -> list[Column]:
    written = []
    for column in found:
        written.append(column)
        if column.name == NUMBER:
            written[-1] = replace(column, value=f"left({NUMBER}, 3) || '…' || right({NUMBER}, 2)")
            written.append(replace(column, name=NUMBER_HASH, value=f"keyed_hash({NUMBER})"))
        if column.name in WORDS_COLUMNS:
            written[-1] = replace(column, value=masked_words(column.name))
    return written


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
