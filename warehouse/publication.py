"""Publication: a candidate becomes `published/marts.duckdb`, whole, in one rename.

Readers keep the file that they have open; who opens it next sees the new build. The file that is being built is never
the one that is read.

Not here: whether a candidate may be published (`quality.gate`).
"""

import shutil
from datetime import datetime

import duckdb

from models.marts import MARTS, SCHEMA, columns, description
from warehouse.build import sendmart_version
from warehouse.duckdb_files import fault_of
from warehouse.ledger import Build, Ledger, now
from warehouse.paths import DataPaths, put_in_place, remove
from warehouse.settings import Settings
from warehouse.sql import literal


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
    shutil.copyfile(paths.candidate, aside)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(aside)} as publication")
        _add_build_info(connection, settings, build, published_at)
        _add_comments(connection)
        connection.execute("checkpoint publication")
        connection.execute("detach publication")
    # A write-ahead log belongs to the file it came with: left by a reader who wrote, it would spoil the next.
    remove(place.with_name(f"{place.name}.wal"))
    put_in_place(aside, place)
    ledger.note_publication(build.build_id, published_at)
    return published_at


def is_published(paths: DataPaths, ledger: Ledger, build: Build) -> bool:
    last = ledger.last_publication()
    if last is None or last[0] != build.build_id or not paths.published_marts.exists():
        return False
    return fault_of(paths.published_marts) is None


def _add_build_info(
    connection: duckdb.DuckDBPyConnection, settings: Settings, build: Build, published_at: datetime
) -> None:
    definition = ", ".join(
        f"{column.name} {column.sql_type}{'' if column.nullable else ' not null'}" for column in columns("build_info")
    )
    connection.execute(f"create or replace table publication.{SCHEMA}.build_info ({definition})")
    connection.execute(
        f"insert into publication.{SCHEMA}.build_info by name select $build_id as build_id,"
        " $published_at::timestamp as published_at, $data_until::date as data_until, $version as version,"
        " $settings as settings",
        {
            "build_id": build.build_id,
            "published_at": published_at.replace(tzinfo=None),
            "data_until": build.data_until,
            "version": sendmart_version(),
            "settings": settings.as_json(),
        },
    )


def _add_comments(connection: duckdb.DuckDBPyConnection) -> None:
    for mart in MARTS:
        table = f"publication.{SCHEMA}.{mart}"
        connection.execute(f"comment on table {table} is {literal(description(mart))}")
        for column in columns(mart):
            connection.execute(f"comment on column {table}.{column.name} is {literal(column.description)}")
