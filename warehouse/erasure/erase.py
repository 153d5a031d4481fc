"""Erasing what lies on disk: lake, quarantine, build, published builds, exports, audit pages, the ledger's words.

Every place is gone through by keyed hashes alone, file by file, each written aside and put in place; what holds nothing of
the erased is left as it is. So an erasure that was killed is carried on by whoever comes next, who need not know the
contact. The build is thrown away: the next one is made in full, from the lake. So is a spreadsheet that holds the erased: it
is a copy that somebody asked for, and can ask for again.

Not here: rows that come later (`warehouse.privacy.tombstones`), `published/quarantine.duckdb`, which is made from the
quarantine (`warehouse.lake.tables`).
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from models import marts
from models.enums import Log
from models.marts import NUMBER_HASH, published_columns
from models.masking import masked_number
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import Column, apply_limits, columns_of, copy_with_changes, enable_s3, literal, tables
from warehouse.export import xlsx
from warehouse.export.exports import FORMULA_START, ON_REQUEST, FileFormat, moment_of
from warehouse.lake import tables as lake_tables
from warehouse.ledger import Ledger
from warehouse.privacy import CONTACT, ERASED_RAW_ROW, NUMBER, ErasureIndex
from warehouse.storage import AnyPath, atomic_replace, exists, hash_of, is_object, names_in, remove
from warehouse.transform import spark

Standing = dict[str, dict[str, str]]
"""By column, the values that were erased and still stand there, with their tokens."""

_LOGS = tuple(log for log in Log if "contact_id" in lake_tables.lake_schema(log))
_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\n]*)[,\n]')
_EXPORT = re.compile(r"[^./][^/]*\.csv")
_FIRST_RECORD_CHARACTERS = 1 << 20


def erase_contacts(settings: Settings, paths: DataPaths, ledger: Ledger, erasure_index: ErasureIndex) -> dict[str, int]:
    """Puts tokens in place of whatever was erased and still stands somewhere; gives the files rewritten, by place, and the
    spreadsheets deleted.

    Can be killed at any point, and repeated.
    """
    _throw_away_half_written(paths)
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        enable_s3(connection, paths.lake)
        erasure_index.hashes.show(connection)
        builds = _published_builds(paths)
        _note_numbers(connection, paths, ledger, builds, erasure_index)
        rewritten = {
            "lake": sum(_erase_log(connection, paths, ledger, log, erasure_index) for log in _LOGS),
            "quarantine": _erase_quarantine(paths, ledger, erasure_index),
            "published builds": sum(_erase_build(connection, names, erasure_index) for names in builds),
            "exports": sum(_erase_export(connection, paths, file, erasure_index) for file in _exports(paths)),
            "spreadsheets (deleted)": sum(
                _erase_spreadsheet(connection, paths, path, erasure_index) for path in _spreadsheets(paths)
            ),
            "audit pages": sum(_erase_page(paths, page, erasure_index) for page in sorted(paths.audits.glob("*.html"))),
        }
    _throw_away_build(settings, paths, ledger)
    spark.discard_builds(settings, paths)
    ledger.rewrite_texts(erasure_index.text)
    return rewritten


def _throw_away_half_written(paths: DataPaths) -> None:
    """Whatever a process that was killed left aside: nobody reads it, and it may hold the erased."""
    folders = (paths.lake, paths.quarantine, paths.published, paths.exports)
    half_written = [file for folder in folders if not is_object(folder) for file in folder.rglob(".*.tmp*")]
    for file in sorted([*half_written, *paths.transfers.glob("*")]):
        remove(file)


def _standing(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Iterable[str],
    erasure_index: ErasureIndex,
    bare: str = "value",
) -> Standing:
    """What of the erased stands in a relation of these columns; `bare` is what is hashed of a value.

    A masked number is known by the hash beside it.
    """
    columns = set(columns)
    kinds = {"contact_id": CONTACT, NUMBER_HASH if NUMBER_HASH in columns else "mobile_number": NUMBER}
    found: Standing = {}
    for column in kinds.keys() & columns:
        tokens = erasure_index.hashed(kinds[column])
        hash_of_value = "value" if column == NUMBER_HASH else f"keyed_hash({bare})"
        rows = connection.execute(
            f"with among as (select distinct {column} as value from {relation} where {column} is not null),"
            f" hashed as (select value, {hash_of_value} as hash from among)"
            " select value, hash from hashed where hash in (select unnest($hashes::varchar[]))",
            {"hashes": list(tokens)},
        ).fetchall()
        if rows:
            found[column] = {value: tokens[hash] for value, hash in rows}
    return found


def _exchanged(standing: Standing, erasure_index: ErasureIndex, written: Callable[[str], str] = str) -> dict[str, str]:
    """By column, the expression that puts tokens in place of what stands there; `written` is how a number is written."""
    contacts, numbers, hashes = (standing.get(name, {}) for name in ("contact_id", "mobile_number", NUMBER_HASH))
    values = {}
    if contacts:
        values["contact_id"] = _case("contact_id", "contact_id", contacts)
        values["source"] = f"case when contact_id in ({_listed(contacts)}) then null else source end"
    if numbers:
        tokens = {number: written(token) for number, token in numbers.items()}
        values["mobile_number"] = _case("mobile_number", "mobile_number", tokens)
    if hashes:
        tokens = {hash: written(masked_number(token)) for hash, token in hashes.items()}
        values["mobile_number"] = _case("mobile_number", NUMBER_HASH, tokens)
        hashed = {hash: erasure_index.hashes.of(token) for hash, token in hashes.items()}
        values[NUMBER_HASH] = _case(NUMBER_HASH, NUMBER_HASH, hashed)
    return values


def _case(column: str, deciding: str, values: dict[str, str]) -> str:
    cases = " ".join(f"when {literal(value)} then {literal(other)}" for value, other in values.items())
    return f"case {deciding} {cases} else {column} end"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in values) or "null"


def _lake_files(paths: DataPaths, log: Log) -> str:
    files = f"{escape(str(paths.lake / log))}/*/*.parquet"
    return f"read_parquet({literal(files)}, union_by_name = true, hive_partitioning = false, filename = true)"


def _note_numbers(
    connection: duckdb.DuckDBPyConnection,
    paths: DataPaths,
    ledger: Ledger,
    builds: list[list[Path]],
    erasure_index: ErasureIndex,
) -> None:
    """Finds out, before anything goes, which numbers erased contacts had."""

    def find(relation: str, number_hash: str) -> None:
        contacts = _standing(connection, relation, ["contact_id"], erasure_index).get("contact_id", {})
        found = connection.execute(
            f"select distinct contact_id, {number_hash} from {relation}"
            f" where mobile_number is not null and contact_id in ({_listed(contacts)})"
        ).fetchall()
        for contact_id, of_number in found:
            erasure_index.find_numbers(contact_id, [of_number])

    for log in _LOGS:
        if "mobile_number" in lake_tables.lake_schema(log):
            find(_lake_files(paths, log), "keyed_hash(mobile_number)")
    for names in builds:
        connection.execute(f"attach {literal(names[0])} as kept (read_only)")
        for relation, columns in _relations(connection):
            if {"contact_id", "mobile_number"} <= set(columns):
                find(relation, NUMBER_HASH if NUMBER_HASH in columns else "keyed_hash(mobile_number)")
        connection.execute("detach kept")
    ledger.record_erased_numbers(erasure_index.take_found())


# --- lake and quarantine


def _erase_log(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, ledger: Ledger, log: Log, erasure_index: ErasureIndex
) -> int:
    relation = _lake_files(paths, log)
    standing = _standing(connection, relation, lake_tables.lake_schema(log), erasure_index)
    if not standing:
        return 0
    where = " or ".join(f"{column} in ({_listed(values)})" for column, values in standing.items())
    holding = connection.execute(f"select distinct filename from {relation} where {where} order by 1").fetchall()
    for (name,) in holding:
        file = paths.lake / log / "/".join(name.split("/")[-2:])
        _rewrite(paths, ledger, file, lake_tables.lake_schema(log), lambda rows: erasure_index.rows(log, rows))
    return len(holding)


def _erase_quarantine(paths: DataPaths, ledger: Ledger, erasure_index: ErasureIndex) -> int:
    def erased(rows: pl.DataFrame) -> pl.DataFrame:
        raw = [erasure_index.raw_row(row) for row in rows["raw_row"]]
        return rows.with_columns(pl.Series("raw_row", raw, dtype=pl.String))

    holding = [
        file
        for file in sorted(paths.quarantine.glob("*/log_date=*/*.parquet"))
        if any(not erased(rows).equals(rows) for rows in _batches(file))
    ]
    for file in holding:
        _rewrite(paths, ledger, file, lake_tables.QUARANTINE_SCHEMA, erased)
    return len(holding)


def _batches(file: Path) -> Iterable[pl.DataFrame]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=lake_tables.ROW_GROUP_ROWS):
            yield pl.DataFrame(batch)


def _rewrite(
    paths: DataPaths,
    ledger: Ledger,
    path: AnyPath,
    schema: dict[str, pl.DataType],
    change: Callable[[pl.DataFrame], pl.DataFrame],
) -> None:
    """Writes a file of lake or quarantine anew, its rows in their order."""
    writer = lake_tables.RowWriter(path, paths.temp_path(path), schema, None)
    try:
        with paths.local_copy(path) as file:
            writer.header = lake_tables.header_of(file) or ()
            for rows in _batches(file):
                late = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
                writer.write(change(rows.with_columns(late)))
    except BaseException:
        writer.discard()
        raise
    # Forgotten first: killed in between, it is held to neither the old content nor the new.
    ledger.forget_checksums([paths.key_of(path)])
    ledger.record_checksums({paths.key_of(written): content for written, content in writer.finish().commit().items()})


def source_files_of_erased_rows(paths: DataPaths, ledger: Ledger) -> list[str]:
    """The log files, `<log>/<source_file>`, of which rows in lake or quarantine were erased: they may still be there."""
    lake_tables.ensure_lake(paths)
    tokens = {kind: [one.token for one in ledger.erased() if one.kind == kind] for kind in (CONTACT, NUMBER)}
    found: set[str] = set()
    with duckdb.connect() as connection:
        enable_s3(connection, paths.lake)
        for log in _LOGS:
            also = (
                f" or mobile_number in ({_listed(tokens[NUMBER])})"
                if "mobile_number" in lake_tables.lake_schema(log)
                else ""
            )
            rows = connection.execute(
                f"select distinct source_file from {_lake_files(paths, log)}"
                f" where contact_id in ({_listed(tokens[CONTACT])}){also}"
            )
            found |= {f"{log}/{source_file}" for (source_file,) in rows.fetchall()}
    for file in paths.quarantine.glob("*/log_date=*/*.parquet"):
        for rows in _batches(file):
            erased = rows.filter(pl.col("raw_row") == ERASED_RAW_ROW)
            found |= {f"{file.parent.parent.name}/{source_file}" for source_file in erased["source_file"].unique()}
    return sorted(found)


# --- builds


def _throw_away_build(settings: Settings, paths: DataPaths, ledger: Ledger) -> None:
    """Leaves the next build nothing to go on from: not the candidate, not what changes replaced, nothing spilled."""
    ledger.forget_candidate()
    ledger.forget_built_from(list(ledger.built_from()))
    for file in (paths.build, paths.candidate):
        remove(file)
        remove(file.with_name(f"{file.name}.wal"))
    for file in paths.changes.glob("*/*.parquet"):
        remove(file)
    for folder in (settings.scratch, paths.transfers):
        shutil.rmtree(folder, ignore_errors=True)


def _published_builds(paths: DataPaths) -> list[list[Path]]:
    """Every published build that lies there, with all its names: one that is kept and the current one may be one file."""
    by_inode: dict[int, list[Path]] = {}
    published = {paths.published_marts, paths.published_marts_of_0_2}
    for file in (*sorted(published), *sorted(paths.kept_builds.glob("*.duckdb"))):
        if file.exists():
            by_inode.setdefault(file.stat().st_ino, []).append(file)
    return list(by_inode.values())


def _relations(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str]]]:
    """The tables of the build that is attached as `kept`, with their columns."""
    return [
        (f'kept."{schema}"."{table}"', [column.name for column in columns_of(connection, "kept", schema, table)])
        for schema, table, _ in tables(connection, "kept")
    ]


def _erase_build(connection: duckdb.DuckDBPyConnection, names: list[Path], erasure_index: ErasureIndex) -> int:
    temp_path = names[0].with_name(f".{names[0].name}.tmp")
    connection.execute(f"attach {literal(names[0])} as kept (read_only)")
    try:
        exchanged = {
            relation: _exchanged(_standing(connection, relation, columns, erasure_index), erasure_index)
            for relation, columns in _relations(connection)
        }
        if not any(exchanged.values()):
            return 0

        def erased(schema: str, table: str, columns: Sequence[Column]) -> list[Column]:
            values = exchanged[f'kept."{schema}"."{table}"']
            return [replace(column, value=values.get(column.name, column.value)) for column in columns]

        copy_with_changes(connection, "kept", temp_path, erased)
    finally:
        connection.execute("detach kept")
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


# --- exports and pages


_OF_CONTACTS = [report for report in ON_REQUEST if "contact_id" in {column.name for column in marts.columns(report)}]


def _exports(paths: DataPaths) -> list[AnyPath]:
    folders = [paths.exports / report for report in _OF_CONTACTS]
    return [folder / name for folder in folders for name in names_in(folder) if _EXPORT.fullmatch(name)]


def _spreadsheets(paths: DataPaths) -> list[AnyPath]:
    return [
        paths.exports / report / name
        for report in _OF_CONTACTS
        for name in names_in(paths.exports / report)
        if name.endswith(f".{FileFormat.XLSX}") and moment_of(report, name)
    ]


def _erase_spreadsheet(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, path: AnyPath, erasure_index: ErasureIndex
) -> int:
    """Deletes a spreadsheet that holds the erased, or that nobody can look into since another program saved it."""
    found: dict[str, set[str]] = {"contact_id": set(), "mobile_number": set(), NUMBER_HASH: set()}
    with paths.local_copy(path) as file:
        try:
            for column, text in xlsx.texts(file):
                if column in found:
                    found[column].add(text)
        except xlsx.UnknownXlsxLayout:
            holds_erased = True
        else:
            if found[NUMBER_HASH]:  # then the numbers are masked
                del found["mobile_number"]
            holds_erased = any(_is_any_erased(connection, column, found[column], erasure_index) for column in found)
    if holds_erased:
        remove(path)
        remove(path.with_suffix(".json"))
    return int(holds_erased)


def _is_any_erased(
    connection: duckdb.DuckDBPyConnection, column: str, values: Iterable[str], erasure_index: ErasureIndex
) -> bool:
    connection.register("found_in_spreadsheet", pl.DataFrame({column: pl.Series(list(values), dtype=pl.String)}))
    return bool(_standing(connection, "found_in_spreadsheet", [column], erasure_index))


def _erase_export(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, path: AnyPath, erasure_index: ErasureIndex
) -> int:
    with paths.local_copy(path) as file:
        return _erase_csv(connection, paths, path, file, erasure_index)


def _erase_csv(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, path: AnyPath, file: Path, erasure_index: ErasureIndex
) -> int:
    """Writes an export, at hand as `file`, anew, its rows in their order; what its `.json` says of it follows."""
    report = path.parent.name
    header, is_spreadsheet = _form_of(file, report)
    kinds = ", ".join(f"{literal(name)}: 'varchar'" for name in header)
    relation = (
        f"read_csv({literal(file)}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
        f" nullstr = '', columns = {{{kinds}}})"
    )
    # As a spreadsheet is shown it, text that begins like a formula has an apostrophe in front.
    is_marked = f"starts_with(value, '''') and regexp_matches(value[2:], '{FORMULA_START}')"
    bare = f"if({is_marked}, value[2:], value)" if is_spreadsheet else "value"
    standing = _standing(connection, relation, header, erasure_index, bare)
    if not standing:
        return 0
    exchanged = _exchanged(standing, erasure_index, lambda number: f"'{number}" if is_spreadsheet else number)
    cells = ", ".join(f"{exchanged.get(name, name)} as {name}" for name in header)
    quoting = f", force_quote ({', '.join(_texts(report, header))})" if is_spreadsheet else ""
    temp_path = paths.temp_path(path)
    connection.execute(
        f"copy (select {cells} from {relation}) to {literal(temp_path)}"
        f" (format csv, header, delimiter ',', quote '\"', escape '\"', nullstr ''{quoting})"
    )
    described = path.with_suffix(".json")
    if exists(described):
        with paths.local_copy(described) as telling:
            told = json.loads(telling.read_text(encoding="utf-8")) | {"sha256": hash_of(temp_path)}
        _put_text(paths, described, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    atomic_replace(temp_path, path)
    return 1


def _form_of(file: Path, report: str) -> tuple[list[str], bool]:
    """The header of an export, and whether it was written for spreadsheets: then every text in it is quoted."""
    with file.open(encoding="utf-8", newline="") as text:
        header = text.readline().rstrip("\n").replace('"', "").split(",")
        cells = _CELL.findall(text.read(_FIRST_RECORD_CHARACTERS))
    first = dict(zip(header, cells, strict=False))
    return header, all(first.get(name, "")[:1] in ("", '"') for name in _texts(report, header))


def _texts(report: str, header: Sequence[str]) -> list[str]:
    columns = published_columns(report, is_masked=NUMBER_HASH in header)
    return [column.name for column in columns if column.sql_type == "varchar" and column.name in header]


def _erase_page(paths: DataPaths, page: Path, erasure_index: ErasureIndex) -> int:
    before = page.read_text(encoding="utf-8")
    after = erasure_index.text(before)
    if after == before:
        return 0
    _put_text(paths, page, after)
    return 1


def _put_text(paths: DataPaths, path: AnyPath, text: str) -> None:
    temp_path = paths.temp_path(path)
    temp_path.write_text(text, encoding="utf-8")
    atomic_replace(temp_path, path)
