"""The evaluation of a mapping: batches of raw records become batches of rows of a log, as text.

An expression that fails on a record rejects the record, with the column, the expression and the values that it read.
Not here: the check of the expressions (`expressions`), reading mapping files (`catalogue`), the rules of the logs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from threading import Lock, get_ident
from typing import Any

import duckdb
import polars as pl

from models.enums import Log
from models.logs import COLUMNS
from models.rejections import UnreadableValue, failed_expression
from models.source_mapping import FILE_DATE, FILE_PATH, Source, SourceMapping
from models.text_types import ID
from warehouse.ingest.readers.records import BrokenRecord, FileFormat, Layout, Records, RefusedFile, names_shown
from warehouse.ingest.sources.expressions import check_statement, fields_of, locked_connection, quoted, type_of
from warehouse.ingest.sources.functions import FAULT

MAX_EXPLAINED_FAILURES = 100
"""Failures in a batch whose reason says what DuckDB says; each takes a query."""
MAX_ISOLATED_FAILURES = 1_000
"""Records of a batch on which an expression fails though in `try`. Each takes some queries to find; more refuse the file."""

_INDEX = "record index"
_NO_NUMBERS = ["nan", "-nan", "inf", "-inf"]
"""DuckDB's text of floating-point values that are no numbers, as `0 / 0` gives."""
_FIELD = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|"[^"]+"')
_CONSTANT = re.compile(r"'[^']*'")
_DECIMAL_COMMA = r"^\s*([+-]?)(?:[0-9]*|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+(?:[eE][+-]?[0-9]{1,3})?\s*$"


def file_format(mapping: SourceMapping) -> FileFormat:
    """How the readers read the files of a source."""
    raw = mapping.format
    return FileFormat(raw.type, raw.delimiter, raw.encoding, raw.records or "")


@dataclass(frozen=True)
class _Failure:
    """An expression that failed on a record of the batch: the column, or `where`, and the reason."""

    index: int
    column: str
    rule: str


@dataclass
class _Batch:
    """The rows of a batch: of each selected record, the index and the values of the log's columns."""

    indices: pl.Series
    rows: pl.DataFrame
    failures: list[_Failure] = field(default_factory=list)


class Mapper:
    """Maps the records of one source to the rows of one log."""

    def __init__(self, mapping: SourceMapping, log: Log) -> None:
        columns = mapping.logs[log].columns
        # What is a field or a constant as it stands is not evaluated: that would copy every value twice.
        self._constants = {name: text[1:-1] for name, text in columns.items() if _CONSTANT.fullmatch(text)}
        self._copied = {
            name: text.strip('"')
            for name, text in columns.items()
            if _FIELD.fullmatch(text) and fields_of(text) == {text.strip('"')}  # `null` is no field
        }
        self._columns = {
            name: text for name, text in columns.items() if name not in self._constants and name not in self._copied
        }
        self._floating = [name for name, text in self._columns.items() if type_of(text) in ("DOUBLE", "FLOAT")]
        self._where = mapping.logs[log].where
        self._names = [column.name for column in COLUMNS[log]]
        self._fields = {name: sorted(fields_of(text)) for name, text in columns.items()}
        self._where_fields = sorted(fields_of(self._where)) if self._where else []
        fields = sorted({name for names in (*self._fields.values(), self._where_fields) for name in names})
        if clashes := {name.lower() for name in fields if [other.lower() for other in fields].count(name.lower()) > 1}:
            raise RefusedFile(f"the mapping names fields that differ in case alone: {', '.join(sorted(clashes))}")
        of_records = [name for name in fields if name not in (FILE_DATE, FILE_PATH)]
        id_columns = [column.name for column in COLUMNS[log] if column.read_as == ID]
        ids = frozenset(name for column in id_columns for name in self._fields.get(column, ()))
        self.layout = Layout(tuple(of_records), nested_as_json=True, ids=ids)
        self.required = [name for name in of_records if name not in mapping.optional_fields]
        self.required_by_where = [name for name in self.required if name in self._where_fields]
        self._has_decimal_comma = mapping.format.decimal_comma
        self._connection = locked_connection()
        self._statement = self._select("cast((\n{}\n) as varchar)", self._where)
        check_statement(self._statement, len(self._columns) + 1)

    def _select(self, template: str, where: str | None) -> str:
        """The statement with a column for each expression, in a template, of the records that a condition selects."""
        values = "".join(
            f", {template.format(text)} as {quoted(f'mapped {name}')}" for name, text in self._columns.items()
        )
        condition = f" where (\n{where}\n)" if where else ""
        return f"select {quoted(_INDEX)}{values} from records{condition}"

    def map(self, records: Records, of_file: Mapping[str, str]) -> Records:
        """The rows of a batch of a file. Records that `where` does not select are counted in `not_selected`."""
        raw = records.text.with_row_index(_INDEX).select(_INDEX, *self.layout.columns)
        if self._has_decimal_comma:
            raw = raw.with_columns(_with_point(pl.col(name)) for name in self.layout.columns)
        raw = raw.with_columns(pl.lit(value).alias(name) for name, value in of_file.items())
        broken = [*records.broken]
        # A record that the reader found fault with is rejected, whether it would be selected or not.
        unreadable = sorted({fault.index for fault in records.faults})
        if unreadable:
            raw = raw.filter(~pl.col(_INDEX).is_in(unreadable))
            reasons = [
                tuple(f"field {fault.column}: {fault.rule}" for fault in records.faults if fault.index == index)
                for index in unreadable
            ]
            broken += _broken(records, unreadable, reasons)
        batch = self._evaluate(raw, records.text)
        failed_where = [failure for failure in batch.failures if failure.column == "where"]
        broken += _broken(
            records,
            [failure.index for failure in failed_where],
            [(f"where: {failure.rule}",) for failure in failed_where],
        )
        position = {index: row for row, index in enumerate(batch.indices)} if batch.failures else {}
        indices = batch.indices
        values = batch.rows
        if self._copied and values.height != raw.height:
            raw = raw.join(values.select(_INDEX), on=_INDEX, how="semi", maintain_order="left")
        if self._copied:
            values = values.with_columns(raw[field].alias(f"mapped {name}") for name, field in self._copied.items())
        values = values.with_columns(pl.lit(text).alias(f"mapped {name}") for name, text in self._constants.items())
        missing = [
            pl.lit(None, pl.String).alias(name) for name in self._names if f"mapped {name}" not in values.columns
        ]
        renamed = [pl.col(f"mapped {name}").alias(name) for name in self._names if f"mapped {name}" in values.columns]
        return Records(
            text=values.select(*renamed, *missing).select(self._names),
            row_numbers=records.row_numbers.gather(indices),
            raw=lambda rows: records.raw(indices.gather(list(rows)).to_list()),
            count=records.count,
            size=records.size,
            broken=broken,
            faults=[
                UnreadableValue(position[failure.index], failure.column, failure.rule)
                for failure in batch.failures
                if failure.column != "where"
            ],
            header=records.header,
            not_selected=records.count - len(indices) - len(broken),
            is_mapped=True,
        )

    def _evaluate(self, raw: pl.DataFrame, written: pl.DataFrame) -> _Batch:
        try:
            rows = self._query(self._statement, raw)
            batch = _Batch(rows[_INDEX], rows)
        except (duckdb.OutOfMemoryException, duckdb.FatalException):
            raise
        except duckdb.Error:
            batch = self._evaluate_with_failures(raw, written)
        for name in self._floating:
            value = pl.col(f"mapped {name}")
            has_no_number = value.is_in(_NO_NUMBERS)
            no_numbers = batch.rows.filter(has_no_number)[_INDEX].to_list()
            if no_numbers:
                batch.failures += self._explain(name, self._columns[name], self._fields[name], raw, no_numbers, written)
                batch.rows = batch.rows.with_columns(pl.when(~has_no_number).then(value))
        return batch

    def _evaluate_with_failures(self, raw: pl.DataFrame, written: pl.DataFrame) -> _Batch:
        """The same, if an expression fails on a record: each value, and whether it failed.

        A struct of a value is never null, so it is null only where the expression failed.
        """
        failures: list[_Failure] = []
        if self._where:
            states = self._tried({"where": f"cast((\n{self._where}\n) as boolean)"}, raw)["mapped where"]
            failed = raw.filter(states.is_null())[_INDEX].to_list()
            failures += self._explain("where", self._where, self._where_fields, raw, failed, written)
            raw = raw.filter(states.struct.field("value").eq("true").fill_null(value=False))
        rows = self._tried(self._columns, raw)
        for name, text in self._columns.items():
            failed = rows.filter(pl.col(f"mapped {name}").is_null())[_INDEX].to_list()
            failures += self._explain(name, text, self._fields[name], raw, failed, written)
        values = rows.with_columns(
            pl.col(f"mapped {name}").struct.field("value").alias(f"mapped {name}") for name in self._columns
        )
        return _Batch(rows[_INDEX], values, failures)

    def _tried(self, expressions: Mapping[str, str], raw: pl.DataFrame) -> pl.DataFrame:
        """Structs with the value of each expression for each record, null where it fails.

        Some errors end the query though in `try`. Their records are looked for by halves.

        Raises:
            RefusedFile: an expression fails so on more records than can be looked for.
        """
        values = "".join(
            f", try(struct_pack(value := cast((\n{text}\n) as varchar))) as {quoted(f'mapped {name}')}"
            for name, text in expressions.items()
        )
        statement = f"select {quoted(_INDEX)}{values} from records"
        results: list[pl.DataFrame] = []
        failed_count = 0
        parts = [raw]
        while parts:
            part = parts.pop()
            try:
                results.append(self._query(statement, part))
            except (duckdb.OutOfMemoryException, duckdb.FatalException):
                raise
            except duckdb.Error as error:
                if len(expressions) > 1:
                    columns = [self._tried({name: text}, raw) for name, text in expressions.items()]
                    return pl.concat(
                        [raw.select(_INDEX), *(column.drop(_INDEX) for column in columns)], how="horizontal"
                    )
                middle = part.height // 2
                parts += [part[middle:], part[:middle]] if middle else []
                failed_count += not middle
                if failed_count > MAX_ISOLATED_FAILURES:
                    (name,) = expressions
                    raise RefusedFile(
                        f"the mapping failed on more than {MAX_ISOLATED_FAILURES:,} records: {name}: {_message_of(error)};"
                        " correct the mapping"
                    ) from error
        if not failed_count:
            return pl.concat(results)
        schema = {_INDEX: raw.schema[_INDEX]} | {
            f"mapped {name}": pl.Struct({"value": pl.String}) for name in expressions
        }
        found = pl.concat([pl.DataFrame(schema=schema), *results])
        return raw.select(_INDEX).join(found, on=_INDEX, how="left", maintain_order="left")

    def _explain(
        self,
        column: str,
        expression: str,
        fields: Sequence[str],
        raw: pl.DataFrame,
        failed: list[int],
        written: pl.DataFrame,
    ) -> Iterator[_Failure]:
        """The failures of an expression on the records with these indices, with the values as they are `written` in the file."""
        for number, row in enumerate(raw.filter(pl.col(_INDEX).is_in(failed)).iter_rows(named=True)):
            message = self._message(expression, row) if number < MAX_EXPLAINED_FAILURES else ""
            values = {name: written[name][row[_INDEX]] if name in written.columns else row[name] for name in fields}
            yield _Failure(row[_INDEX], column, failed_expression(expression, message, values))

    def _message(self, expression: str, row: dict[str, Any]) -> str:
        """What DuckDB says about an expression that fails on a record."""
        try:
            self._query(
                f"select cast((\n{expression}\n) as varchar) from records",
                pl.DataFrame([row], infer_schema_length=None),
            )
        except duckdb.Error as error:
            return _message_of(error)
        return "gives no finite number"

    def _query(self, statement: str, records: pl.DataFrame) -> pl.DataFrame:
        self._connection.register("records", records.to_arrow())
        try:
            return self._connection.execute(statement).pl()
        finally:
            self._connection.unregister("records")


def _with_point(text: pl.Expr) -> pl.Expr:
    number = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return pl.when(text.str.contains(_DECIMAL_COMMA)).then(number).otherwise(text)


def _broken(records: Records, indices: list[int], reasons: Sequence[tuple[str, ...]]) -> list[BrokenRecord]:
    numbers = records.row_numbers.gather(indices).to_list()
    return [
        BrokenRecord(number, reason, raw)
        for number, reason, raw in zip(numbers, reasons, records.raw(indices), strict=True)
    ]


def _message_of(error: duckdb.Error) -> str:
    """What DuckDB, or a function of ours, says about a failure."""
    text = str(error)
    fault = FAULT.search(text)
    return fault[1] if fault else text.splitlines()[0].partition(": ")[2]


_preparing = Lock()
"""Mappings are parsed on one connection, which threads cannot share."""


def mapper_of(source: Source, log: Log) -> Mapper:
    """The mapper of a source for a log. A thread keeps it for further files: it has a connection of its own."""
    with _preparing:
        return _mapper_of(source, log, get_ident())


@lru_cache(maxsize=64)
def _mapper_of(source: Source, log: Log, thread: int) -> Mapper:
    if source.mapping is None:
        raise LookupError(f"the source {source.name} has no mapping")
    return Mapper(source.mapping, log)


def map_records(mapper: Mapper, batches: Iterable[Records], path: str, log_date: date) -> Iterator[Records]:
    """The rows of a file with this path below the landing zone and this log date.

    Raises:
        RefusedFile: no record has a field that `where` names, or, if it selects a record, a field that a column needs.
    """
    present: set[str] = set()
    unknown: set[str] = set()
    has_records = has_rows = False
    for records in batches:
        present |= records.present
        unknown |= records.unknown_columns
        has_records |= records.text.height > 0
        rows = mapper.map(records, {FILE_DATE: log_date.isoformat(), FILE_PATH: path})
        has_rows |= rows.text.height > 0
        yield rows
    # A JSON file that feeds several logs may have no record of one of them, and so none of its fields.
    required = mapper.required if has_rows else mapper.required_by_where
    missing = [name for name in required if name not in present]
    if has_records and missing:
        shown = names_shown(sorted(unknown))
        others = f" (found, but not in the mapping: {shown})" if shown else ""
        raise RefusedFile(
            f"no record has the field {', '.join(missing)}, which the mapping names{others}. Correct the mapping, or list a field"
            " that may be missing in optional_fields"
        )
