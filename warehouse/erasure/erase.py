"""Erases contacts from the disk: lake, quarantine, builds, exports, audit pages, and the texts in the ledger.

Erased values are recognised by their keyed hashes alone. Each file is written to a temporary file that then replaces it; a
file without erased values stays as it is. So the next process continues an erasure that was killed, and need not know the
contact. The candidate is deleted: the next build is a full one, from the lake.

A damaged file cannot be searched. A build or export is deleted, because it is made again; a file of the lake or the
quarantine is loaded again from its log file (`orchestration.stages.erase`).

Not here: rows that arrive later (`warehouse.privacy.tombstones`), `published/quarantine.duckdb`, which is written again from
the quarantine (`warehouse.quarantine.published`), the builds of Spark (`warehouse.transform`).
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from models.enums import Log
from models.rejections import ERASED_RAW_ROW, erase_reasons
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import (
    Column,
    apply_limits,
    columns_of,
    copy_with_changes,
    enable_s3,
    is_corruption_error,
    list_tables,
    literal,
)
from warehouse.erasure.exports import delete_spreadsheets, erase_csv_exports
from warehouse.erasure.tokens import TokenReplacer, sql_list
from warehouse.lake import tables as lake_tables
from warehouse.ledger import Ledger
from warehouse.privacy import ErasureIndex, save_tombstone_copy
from warehouse.storage import AnyPath, NotRegularFile, atomic_replace, is_object, open_regular, remove

log = logging.getLogger("sendmart")

SPREADSHEETS = "spreadsheets (deleted)"

_LOGS = tuple(log for log in Log if "contact_id" in lake_tables.lake_schema(log))


def erase_contacts(settings: Settings, paths: DataPaths, ledger: Ledger, erasure_index: ErasureIndex) -> dict[str, int]:
    """Replaces every erased value by its token. Returns the number of rewritten files by kind, and of deleted spreadsheets."""
    _delete_temp_files(paths)
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        enable_s3(connection, paths.lake)
        erasure_index.hashes.create_macro(connection)
        eraser = _Eraser(paths, ledger, erasure_index, TokenReplacer(connection, erasure_index))
        builds = _published_builds(paths)
        eraser.record_numbers(builds)
        rewritten = {
            "lake": sum(map(eraser.erase_log, _LOGS)),
            "quarantine": sum(map(eraser.erase_quarantine_file, _quarantine_files(paths))),
            "published builds": sum(map(eraser.erase_build, builds)),
            "exports": erase_csv_exports(paths, eraser.replacer),
            SPREADSHEETS: delete_spreadsheets(paths),
            "audit pages": sum(map(eraser.erase_page, sorted(paths.audits.glob("*.html")))),
        }
    _delete_candidate(settings, paths, ledger)
    ledger.rewrite_texts(erasure_index.erase_text)
    return rewritten


def _delete_temp_files(paths: DataPaths) -> None:
    """Deletes temporary files that a killed process left: nothing reads them, and they may hold erased values."""
    folders = (paths.lake, paths.quarantine, paths.published, paths.exports)
    temp_files = [file for folder in folders if not is_object(folder) for file in folder.rglob(".*.tmp*")]
    for file in sorted([*temp_files, *paths.transfers.glob("*")]):
        remove(file)


def _delete_candidate(settings: Settings, paths: DataPaths, ledger: Ledger) -> None:
    """Deletes all that an incremental build would start from, the index of keys, and what dbt at the prompt has built."""
    ledger.forget_candidate()
    ledger.forget_built_from(list(ledger.built_from()))
    for file in (paths.build, paths.candidate, paths.key_index):
        remove(file)
        remove(file.with_name(f"{file.name}.wal"))
    for file in paths.changes.glob("*/*.parquet"):
        remove(file)
    for folder in (settings.scratch, paths.transfers, paths.dbt_dev):
        shutil.rmtree(folder, ignore_errors=True)


def source_files_of_erased_rows(paths: DataPaths, ledger: Ledger) -> list[str]:
    """The log files, `<log>/<source_file>`, with erased rows in lake or quarantine. They may still be in the landing zone."""
    lake_tables.ensure_lake(paths)
    tokens = sql_list(erased.token for erased in ledger.erased())
    names: set[str] = set()
    with duckdb.connect() as connection:
        enable_s3(connection, paths.lake)
        for log in _LOGS:
            columns = [name for name in ("contact_id", "mobile_number") if name in lake_tables.lake_schema(log)]
            condition = " or ".join(f"{column} in ({tokens})" for column in columns)
            rows = connection.execute(
                f"select distinct source_file from {_lake_relation(paths, log)} where {condition}"
            )
            names |= {f"{log}/{source_file}" for (source_file,) in rows.fetchall()}
    for file in _quarantine_files(paths):
        for batch in _batches(file):
            erased_rows = batch.filter(pl.col("raw_row") == ERASED_RAW_ROW)
            names |= {f"{file.parent.parent.name}/{source_file}" for source_file in erased_rows["source_file"].unique()}
    return sorted(names)


def _lake_relation(paths: DataPaths, log: Log) -> str:
    files = f"{escape(str(paths.lake / log))}/*/*.parquet"
    return f"read_parquet({literal(files)}, union_by_name = true, hive_partitioning = false, filename = true)"


def _quarantine_files(paths: DataPaths) -> list[Path]:
    return sorted(paths.quarantine.glob("*/log_date=*/*.parquet"))


def _batches(file: Path) -> Iterable[pl.DataFrame]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=lake_tables.ROW_GROUP_ROWS):
            yield pl.DataFrame(batch)


def _published_builds(paths: DataPaths) -> list[list[Path]]:
    """The files of published builds, each with all its names: the published file and a kept build may be one file."""
    published = {paths.published_marts, paths.published_marts_of_0_2}
    by_inode: dict[int, list[Path]] = {}
    for file in (*sorted(published), *sorted(paths.kept_builds.glob("*.duckdb"))):
        if file.exists():
            by_inode.setdefault(file.stat().st_ino, []).append(file)
    return list(by_inode.values())


class _BuildDamaged(Exception):
    """The file of a build is damaged."""


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, build: Path) -> Iterator[dict[str, list[str]]]:
    """Attaches a build as `kept`. Gives the columns of its tables. Raises _BuildDamaged, also for a block that is read."""
    try:
        connection.execute(f"attach {literal(build)} as kept (read_only)")
        try:
            yield {
                f'kept."{schema}"."{table}"': [column.name for column in columns_of(connection, "kept", schema, table)]
                for schema, table, _ in list_tables(connection, "kept")
            }
        finally:
            connection.execute("detach kept")
    except duckdb.Error as error:
        if not is_corruption_error(str(error)):
            raise
        raise _BuildDamaged(str(error)) from error


@dataclass(frozen=True)
class _Eraser:
    """Writes files with erased values again. Its methods return how many files they wrote again."""

    paths: DataPaths
    ledger: Ledger
    index: ErasureIndex
    replacer: TokenReplacer

    def record_numbers(self, builds: list[list[Path]]) -> None:
        """Records the numbers of erased contacts, before the rows that name them are rewritten."""
        for log in _LOGS:
            self.replacer.record_numbers(_lake_relation(self.paths, log), lake_tables.lake_schema(log))
        for names in builds:
            with suppress(_BuildDamaged), _attached(self.replacer.connection, names[0]) as relations:
                for relation, columns in relations.items():
                    self.replacer.record_numbers(relation, columns)
        self.ledger.record_erased_numbers(self.index.take_new_numbers())
        save_tombstone_copy(self.paths, self.ledger)

    def erase_log(self, log: Log) -> int:
        relation, schema = _lake_relation(self.paths, log), lake_tables.lake_schema(log)
        erased = self.replacer.find(relation, schema)
        if not erased:
            return 0
        condition = " or ".join(f"{column} in ({sql_list(values)})" for column, values in erased.items())
        query = f"select distinct filename from {relation} where {condition} order by 1"
        names = self.replacer.connection.execute(query).fetchall()
        for (name,) in names:
            file = self.paths.lake / log / "/".join(name.split("/")[-2:])
            self._rewrite(file, schema, lambda rows: self.index.erase_rows(log, rows))
        return len(names)

    def erase_quarantine_file(self, file: Path) -> int:
        def erase_rows(rows: pl.DataFrame) -> pl.DataFrame:
            identifiers = rows["identifiers"].to_list() if "identifiers" in rows.columns else [None] * rows.height
            raw_rows = [
                self.index.erase_raw_row(raw, values or ())
                for raw, values in zip(rows["raw_row"], identifiers, strict=True)
            ]
            reasons = [
                erase_reasons(raw, of_row) for raw, of_row in zip(raw_rows, rows["reasons"].to_list(), strict=True)
            ]
            erased = rows.with_columns(
                pl.Series("raw_row", raw_rows, dtype=pl.String), pl.Series("reasons", reasons, dtype=pl.List(pl.String))
            )
            if "identifiers" not in rows.columns:
                return erased
            return erased.with_columns(
                identifiers=pl.when(pl.col("raw_row") != ERASED_RAW_ROW).then("identifiers").otherwise([])
            )

        if all(erase_rows(rows).equals(rows) for rows in _batches(file)):
            return 0
        self._rewrite(file, lake_tables.QUARANTINE_SCHEMA, erase_rows)
        return 1

    def _rewrite(
        self, path: AnyPath, schema: dict[str, pl.DataType], change: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> None:
        """Writes a file of lake or quarantine again, with its rows in their order and the types that it has."""
        with self.paths.local_copy(path) as file:
            schema = schema | {name: kind for name, kind in lake_tables.schema_of(file).items() if name in schema}
            writer = lake_tables.RowWriter(path, self.paths.temp_path(path), schema, None)
            writer.header = lake_tables.header_of(file) or ()
            try:
                for rows in _batches(file):
                    absent = [
                        pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns
                    ]
                    writer.write(change(rows.with_columns(absent)))
            except BaseException:
                writer.discard()
                raise
        # The checksum is forgotten first: after a kill in between, the file is compared with neither the old nor the new.
        key_of = self.paths.key_of
        self.ledger.forget_checksums([key_of(path)])
        self.ledger.record_files([], {key_of(name): checksum for name, checksum in writer.finish().commit().items()})

    def erase_build(self, names: list[Path]) -> int:
        try:
            return self._erase_undamaged_build(names)
        except _BuildDamaged as error:
            log.warning("%s is damaged and is deleted, because it may hold erased contacts (%s)", names[0], error)
        for name in names:
            remove(name)
            remove(name.with_name(f"{name.name}.wal"))
        return 1

    def _erase_undamaged_build(self, names: list[Path]) -> int:
        connection, temp_path = self.replacer.connection, names[0].with_name(f".{names[0].name}.tmp")
        with _attached(connection, names[0]) as relations:
            erased = {relation: self.replacer.find(relation, columns) for relation, columns in relations.items()}
            if not any(erased.values()):
                return 0

            def erase_columns(schema: str, table: str, columns: Sequence[Column]) -> list[Column]:
                values = self.replacer.replacements(erased[f'kept."{schema}"."{table}"'])
                return [replace(column, value=values.get(column.name, column.value)) for column in columns]

            copy_with_changes(connection, "kept", temp_path, erase_columns)
        remove(names[0].with_name(f"{names[0].name}.wal"))
        atomic_replace(temp_path, names[0])
        for name in names[1:]:
            link = name.with_name(f".{name.name}.tmp")
            link.unlink(missing_ok=True)
            try:
                os.link(names[0], link)
            except OSError:  # not every file system has hard links
                shutil.copyfile(names[0], link)
            atomic_replace(link, name)
        return 1

    def erase_page(self, page: Path) -> int:
        try:
            with open_regular(page) as file:
                before = file.read().decode("utf-8", errors="replace")  # a damaged page stops no erasure
        except NotRegularFile:
            return 0
        after = self.index.erase_text(before)
        if after == before:
            return 0
        temp_path = self.paths.temp_path(page)
        temp_path.write_text(after, encoding="utf-8")
        atomic_replace(temp_path, page)
        return 1
