"""Erases contacts from exports: CSV files are written again with tokens, spreadsheets are deleted.

Any spreadsheet of a contact-level report may hold the contact, so all of them are deleted. A spreadsheet is a copy on
request and can be requested again. A damaged CSV file cannot be searched for the contact, so it is deleted, too: the next
refresh exports every campaign again.

Not here: exports without contacts, and what an export holds (`warehouse.export`).
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

import duckdb

from models.marts import NUMBER_HASH, columns, published_columns
from warehouse.config import DataPaths
from warehouse.duckdb_tools import literal
from warehouse.erasure.tokens import TokenReplacer
from warehouse.export import (
    BYTE_ORDER_MARK,
    ON_REQUEST,
    PIPE,
    FileFormat,
    Header,
    csv_blocks,
    csv_options,
    export_time,
    read_description,
    read_header,
    unmark_sql,
    write_blocks,
    write_description,
)
from warehouse.storage import AnyPath, NotRegularFile, atomic_replace, hash_of, names_in, open_regular, remove

log = logging.getLogger("sendmart")

_CONTACT_REPORTS = [report for report in ON_REQUEST if "contact_id" in {column.name for column in columns(report)}]
_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\n]*)[,\n]')
_FIRST_RECORD_CHARACTERS = 1 << 20


class ExportDamaged(Exception):
    """A CSV export is not the file that was written."""


def erase_csv_exports(paths: DataPaths, replacer: TokenReplacer) -> int:
    """Replaces erased values in the CSV exports, and deletes damaged ones. Returns the number of these files."""
    csv_files = [path for path in _files(paths, FileFormat.CSV) if not path.name.startswith(".")]
    return sum(_erase_or_delete_csv(paths, path, replacer) for path in csv_files)


def delete_spreadsheets(paths: DataPaths) -> int:
    """Deletes the spreadsheets of contact-level reports, with their descriptions. Returns their number."""
    spreadsheets = [path for path in _files(paths, FileFormat.XLSX) if export_time(path.parent.name, path.name)]
    for path in spreadsheets:
        remove(path)
        remove(path.with_suffix(".json"))
    return len(spreadsheets)


def _files(paths: DataPaths, file_format: FileFormat) -> list[AnyPath]:
    folders = [paths.exports / report for report in _CONTACT_REPORTS]
    return [folder / name for folder in folders for name in names_in(folder) if name.endswith(f".{file_format}")]


def _erase_or_delete_csv(paths: DataPaths, path: AnyPath, replacer: TokenReplacer) -> bool:
    try:
        return _erase_csv(paths, path, replacer)
    except (ExportDamaged, duckdb.InvalidInputException) as error:
        problem = str(error).partition("\n")[0]  # DuckDB's next line is a line of the file
        log.warning("%s is damaged and is deleted, because it may hold erased contacts (%s)", path, problem)
    remove(path)
    remove(path.with_suffix(".json"))
    return True


def _erase_csv(paths: DataPaths, path: AnyPath, replacer: TokenReplacer) -> bool:
    """Writes an export again, with its rows in their order, and updates its `.json`. False if it holds nothing erased.

    Raises:
        ExportDamaged, duckdb.InvalidInputException: the file is damaged.
    """
    report, description = path.parent.name, read_description(path)
    with paths.local_copy(path) as file:
        header, is_quoted = csv_layout(file, report, description.columns if description else None)
        if description and description.sha256 != hash_of(file):
            raise ExportDamaged("its SHA-256 is not the one in its .json")
        names = header.columns
        types = ", ".join(f"{literal(name)}: 'varchar'" for name in names)
        relation = (
            f"read_csv({literal(file)}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
            f" nullstr = '', columns = {{{types}}})"
        )
        erased = replacer.find(relation, names, unmark_sql("value") if is_quoted else "value")
        if not erased:
            return False
        expressions = replacer.replacements(erased, lambda number: f"'{number}" if is_quoted else number)
        headings = dict(zip(names, header.headings, strict=True))
        cells = ", ".join(f'{expressions.get(name, name)} as "{headings[name]}"' for name in names)
        options = csv_options([headings[name] for name in _text_columns(report, names)] if is_quoted else ())
        temp_path = paths.temp_path(path)
        statement = f"copy (select {cells} from {relation}) to '{PIPE}' ({options}, use_tmp_file false)"
        start = BYTE_ORDER_MARK if header.is_marked else b""
        written = write_blocks(temp_path, csv_blocks(replacer.connection, statement, {}, start))
    if description:
        write_description(paths, path, replace(description, sha256=written.sha256))
    atomic_replace(temp_path, path)
    return True


def csv_layout(file: Path, report: str, columns: list[str] | None = None) -> tuple[Header, bool]:
    """The header of an export, and whether it is in spreadsheet mode, which quotes every text.

    `columns` are those of its `.json`.

    Raises:
        ExportDamaged: the file is not UTF-8, or its header is none of this report's.
    """
    try:
        with TextIOWrapper(open_regular(file), encoding="utf-8", newline="") as text:
            header = read_header(report, text.readline(_FIRST_RECORD_CHARACTERS), columns)
            cells = _CELL.findall(text.read(_FIRST_RECORD_CHARACTERS))
    except (UnicodeDecodeError, NotRegularFile) as error:
        raise ExportDamaged(str(error)) from error
    if header is None or "contact_id" not in header.columns:
        raise ExportDamaged(f"its header is none of {report}")
    first_record = dict(zip(header.columns, cells, strict=False))
    text_columns = _text_columns(report, header.columns)
    # Release 0.3 wrote no byte-order mark.
    return header, header.is_marked or all(first_record.get(name, "")[:1] in ("", '"') for name in text_columns)


def _text_columns(report: str, names: Sequence[str]) -> list[str]:
    published = published_columns(report, is_masked=NUMBER_HASH in names)
    return [column.name for column in published if column.sql_type == "varchar" and column.name in names]
