"""Admission: validates a batch of records, as text, against the contract of its log. Every rule that a row breaks is a
reason.

Not here: the rules (`models.logs`, `models.text_types`), reading files and writing lake and quarantine (`warehouse/`).
"""

from collections.abc import Sequence

import polars as pl

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, written
from models.rejections import UnreadableValue, ValidationResult
from models.text_types import trimmed

_NO_TEXT = "no text"


class AdmissionError(Exception):
    """A contract could not be checked. The contract or the load is wrong, not a row: the load must stop."""


def validate(log: Log, text: pl.DataFrame, unreadable: Sequence[UnreadableValue] = ()) -> ValidationResult:
    """Validates a batch: the columns of the log as text, in the contract's order. Raises AdmissionError if a check raises."""
    from pandera.errors import SchemaErrors  # imports pandas, which takes half a second

    typed: list[pl.Series] = []
    as_written: list[pl.Series] = []
    for column in COLUMNS[log]:
        value = trimmed(text[column.name])
        if column.default is not None:
            value = value.fill_null(column.default)
        typed.append(column.read_as.read(value).alias(column.name))
        indices = [fault.index for fault in unreadable if fault.column == column.name]
        # The file holds a value, though not text: for the contract it is unreadable, not missing.
        as_written.append((value.scatter(indices, _NO_TEXT) if indices else value).alias(written(column.name)))
    frame = pl.DataFrame(typed + as_written)
    cases = pl.DataFrame(schema={"index": pl.Int64, "column": pl.String, "check": pl.String})
    try:
        CONTRACTS[log].to_schema().validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    if cases["index"].has_nulls():
        first = cases.filter(pl.col("index").is_null()).row(0, named=True)
        raise AdmissionError(f"{log}: check {first['check']} of {first['column']} raised: {first['failure_case']}")
    return ValidationResult(frame.select(series.name for series in typed), _reasons(log, cases, unreadable))


def _reasons(log: Log, cases: pl.DataFrame, unreadable: Sequence[UnreadableValue]) -> pl.DataFrame:
    """The reasons by row, in words, given pandera's `cases`. Of an unreadable value only one counts: the reader's, if it has
    one.
    """
    columns, column, rank = COLUMNS[log], pl.col("column"), pl.col("rank")
    from_reader = pl.DataFrame(
        [(fault.index, fault.column, fault.rule, 0) for fault in unreadable],
        schema={"index": pl.Int64, "column": pl.String, "rule": pl.String, "rank": pl.Int64},
        orient="row",
    )
    ranks = pl.col("check").replace_strict({"readable": 1, "not_nullable": 2}, default=None, return_dtype=pl.Int64)
    from_contract = cases.select(pl.col("index").cast(pl.Int64), "column", rule="check", rank=ranks)
    rules = {each.name: each.read_as.rule for each in columns}
    in_words = (
        pl.when(rank == 1)
        .then(column.replace_strict(rules, default=None, return_dtype=pl.String))
        .when(rank == 2)
        .then(pl.lit("is required"))
        .otherwise(pl.col("rule"))
    )
    positions = {each.name: position for position, each in enumerate(columns)}
    return (
        pl.concat([from_reader, from_contract])
        .filter(rank.is_null() | (rank == rank.min().over("index", "column")))
        .with_columns(reason=pl.concat_str("column", pl.lit(": "), in_words))
        .with_columns(position=column.replace_strict(positions, default=-1))
        .unique(["index", "reason"])
        .sort("index", "position", "reason")
        .group_by("index", maintain_order=True)
        .agg(reasons=pl.col("reason"))
    )
