"""Admission in the oracle: a landing zone becomes accepted rows, rejected rows and refused files.

Here are the names of log files and exports, the result of a file, and the rules for whole rows. Repeated rows are all
accepted; `marts` decides which of them is kept.

Not here: single values (`values`), the file formats (`records`).
"""

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from tests.oracle.exports import SOURCES, read_export
from tests.oracle.logs import LOGS
from tests.oracle.records import Cell, Record, Refused, Unfit, read_file
from tests.oracle.values import Fault, trimmed, typed

# Silent: what a part may be. Anything but nothing, as with the names of files in a day's folder.
PATHS = (
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.[^/]+?|/[^/]+?)?",
    # Silent: a name with another equals sign in it. It is none, as it can be read in two ways.
    r"[^/=]+=(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})/.*?[^/]",
    r"(?P<date>[0-9]{4}/[0-9]{2}/[0-9]{2})/.*?[^/]",
)
EXPORTED = {folder: log for log, folder in SOURCES.items()}
EXPORT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\..*")
EXTENSION = r"\.(?:(?:csv|json|jsonl|ndjson)(?:\.(?:gz|zst|zstd))?|parquet)"


@dataclass(frozen=True)
class Rejected:
    """A rejected row. `columns` must be named by its reasons; a broken line has none."""

    log: str
    log_date: date
    source_file: str
    row_number: int
    columns: frozenset[str]
    reasons: tuple[str, ...]
    raw: str
    broken: bool


@dataclass(frozen=True)
class RefusedFile:
    log: str
    log_date: date
    source_file: str
    reason: str


@dataclass
class FileGave:
    """The rows of one file."""

    log: str
    log_date: date
    source_file: str
    records: int = 0
    rows: list[dict] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    refused: RefusedFile | None = None
    unknown_columns: set[str] = field(default_factory=set)


@dataclass
class Admitted:
    files: dict[tuple[str, str], FileGave]
    # Paths under the landing zone that are no log files; those still being written are not among them.
    ignored: list[str]

    @property
    def rows(self) -> dict[str, list[dict]]:
        return {log: [row for gave in self._of(log) for row in gave.rows] for log in LOGS}

    @property
    def rejected(self) -> list[Rejected]:
        return [rejected for log in LOGS for gave in self._of(log) for rejected in gave.rejected]

    @property
    def refused(self) -> list[RefusedFile]:
        return [gave.refused for log in LOGS for gave in self._of(log) if gave.refused]

    def _of(self, log: str) -> list[FileGave]:
        return [gave for (of_log, _), gave in sorted(self.files.items()) if of_log == log]


def read_landing(folder: Path, earlier: Admitted | None = None) -> Admitted:
    """The content of the warehouse after `folder` was loaded into a warehouse with the content `earlier`.

    A file replaces all rows of its previous version, also if it is refused now; a file that is gone keeps its rows.
    """
    files = dict(earlier.files) if earlier else {}
    ignored = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        log, _, source_file = path.relative_to(folder).as_posix().partition("/")
        if _is_being_written(path.relative_to(folder)):
            continue
        log_date = log_date_of(source_file)
        of_export = EXPORTED.get(log)
        if of_export and (day := EXPORT.fullmatch(source_file)):
            name = f"{log}:{log}/{source_file}"
            files[of_export, name] = _read_export(of_export, date.fromisoformat(day[1]), name, path.read_bytes())
            continue
        if log not in LOGS or log_date is None:
            ignored.append(path.relative_to(folder).as_posix())
            continue
        files[log, source_file] = read_log_file(log, log_date, source_file, path.read_bytes())
    return Admitted(files, ignored)


def _is_being_written(path: Path) -> bool:
    """Silent: folders with such a name. The files in them are ignored, like a file with such a name."""
    return path.name.endswith((".tmp", ".part")) or any(name.startswith((".", "_")) for name in path.parts)


def log_date_of(source_file: str) -> date | None:
    for path in PATHS:
        match = re.fullmatch(path + f"(?i:{EXTENSION})", source_file)
        if match:
            try:
                return date.fromisoformat(match["date"].replace("/", "-"))
            except ValueError:
                return None
    return None


def read_log_file(log: str, log_date: date, source_file: str, content: bytes) -> FileGave:
    gave = FileGave(log, log_date, source_file)
    try:
        reading = read_file(
            source_file, content, frozenset(name for name, column in LOGS[log].items() if column.kind == "id")
        )
        if reading.columns is not None:
            _check_columns(log, reading.columns)
    except Refused as refusal:
        gave.refused = RefusedFile(log, log_date, source_file, str(refusal))
        return gave
    gave.records = len(reading.records)
    gave.unknown_columns = set(reading.columns or ()) - set(LOGS[log])
    _admit(gave, reading.records)
    return gave


def _read_export(log: str, log_date: date, source_file: str, content: bytes) -> FileGave:
    gave = FileGave(log, log_date, source_file)
    gave.records, selected = read_export(log, content)
    _admit(gave, selected)
    return gave


def _admit(gave: FileGave, records: list[Record]) -> None:
    log, log_date, source_file = gave.log, gave.log_date, gave.source_file
    for record in records:
        gave.unknown_columns |= set(record.cells) - set(LOGS[log])
        values, faults = read_row(log, record)
        if record.broken is None and not faults:
            origin = {"source_file": source_file, "row_number": record.number, "log_date": log_date}
            gave.rows.append(values | origin)
            continue
        reasons = [record.broken] if record.broken else [f"{column}: {rule}" for column, rule in faults]
        gave.rejected.append(
            Rejected(
                log,
                log_date,
                source_file,
                record.number,
                frozenset(column for column, _ in faults),
                tuple(reasons),
                record.raw,
                broken=record.broken is not None,
            )
        )


def _check_columns(log: str, columns: list[str]) -> None:
    """Silent: a header without rows that lacks a required column. Such a file is refused as well."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise Refused(f"columns given twice: {', '.join(twice)}")
    missing = [name for name, column in LOGS[log].items() if column.required and name not in columns]
    if missing:
        raise Refused(f"required columns missing: {', '.join(missing)}")


def read_row(log: str, record: Record) -> tuple[dict, list[tuple[str, str]]]:
    """The typed values of a record, and the columns with faults."""
    if record.broken is not None:
        return {}, []
    # Silent: whether a key twice is a fault where it is no column. It is, as a column twice is in CSV.
    faults = [(key, "key given twice") for key in sorted(record.repeated_keys)]
    values: dict[str, object] = {}
    given_columns: set[str] = set()
    for name, column in LOGS[log].items():
        values[name] = None
        if name in record.repeated_keys:
            given_columns.add(name)
            continue
        cell = _with_default(log, name, _trimmed_cell(record.cells.get(name)))
        if cell is None:
            if column.required:
                faults.append((name, "required"))
            continue
        given_columns.add(name)
        if isinstance(cell, Unfit):
            faults.append((name, f"{cell.reason} in place of a text or number"))
            continue
        try:
            values[name] = typed(column, cell)
        except Fault as fault:
            faults.append((name, str(fault)))
    faults += _faults_across(log, values, given_columns, {column for column, _ in faults})
    return values, faults


def _trimmed_cell(cell: Cell) -> Cell:
    return cell if isinstance(cell, Unfit) else trimmed(cell)


def _with_default(log: str, column: str, cell: Cell) -> Cell:
    """The two nulls that have a default."""
    if cell is None and (log, column) == ("receipts", "provider"):
        return "smpp"
    if cell is None and (log, column) == ("orders", "refunded_amount"):
        return "0"
    return cell


def _faults_across(log: str, values: dict, given_columns: set[str], at_fault: set[str]) -> list[tuple[str, str]]:
    """The rules on two columns.

    Silent: conditions that hang on a value which is itself at fault. What is asked is whether a value was given,
    valid or not, and a refund is compared with a total only where both obey their own rules.
    """
    faults = []
    if log == "sends":
        if "segments" not in given_columns and "skip_reason" not in given_columns:
            faults.append(("segments", "required unless skipped"))
        if "cost" in given_columns and "cost_currency" not in given_columns:
            faults.append(("cost_currency", "required with a cost"))
    if log == "orders" and not at_fault & {"total", "refunded_amount"}:
        total, refunded = values["total"], values["refunded_amount"]
        if isinstance(total, Decimal) and isinstance(refunded, Decimal) and refunded > total:
            faults.append(("refunded_amount", "more than the total"))
    return faults
