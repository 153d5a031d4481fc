"""Admission: holds a batch of records, as text, to its log's contract, and tells for every row what is wrong with it.

The text is trimmed, defaults stand in for nulls, values are read as their types, and the pandera contract is checked on
the whole batch at once. Every rule that a row breaks becomes one reason, naming the column and the rule.

Not here: the rules (`models.logs`, `models.text_types`), reading files and writing lake and quarantine (`warehouse/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl
from pandera.errors import SchemaErrors

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, LogColumn, written
from models.text_types import trimmed

_NO_TEXT = "no text"


class AdmissionError(Exception):
    """A contract could not be checked: a fault of the contract or the load, which must stop it, never of a row."""


class UnreadableValue(Protocol):
    """A value that the file's format made unreadable as text (a boolean, say): found by whoever read the file."""

    index: int
    column: str
    rule: str


@dataclass(frozen=True)
class ValidationResult:
    """What was found in a batch.

    `rows` holds every row of the batch, typed as the contract says (null where a value could not be read); `reasons` has
    the columns `index` (a row's place in the batch) and `reasons` (list of strings), for each row that is rejected.
    """

    rows: pl.DataFrame
    reasons: pl.DataFrame


def validate(log: Log, text: pl.DataFrame, unreadable: Sequence[UnreadableValue] = ()) -> ValidationResult:
    """Holds a batch to the contract of its log.

    Args:
        text: the log's columns as strings, in the contract's order.
        unreadable: values that are null in `text` because their format gave no text for them.

    Raises:
        AdmissionError: a check could not be carried out, so that nothing can be said of the batch.
    """
    typed: list[pl.Series] = []
    as_written: list[pl.Series] = []
    for column in COLUMNS[log]:
        value = trimmed(text[column.name])
        if column.default is not None:
            value = value.fill_null(column.default)
        typed.append(column.read_as.read(value).alias(column.name))
        there = [fault.index for fault in unreadable if fault.column == column.name]
        # Something was written there, if no text: for the contract it is unreadable, not missing.
        as_written.append((value.scatter(there, _NO_TEXT) if there else value).alias(written(column.name)))
    frame = pl.DataFrame(typed + as_written)
    try:
        CONTRACTS[log].validate(frame, lazy=True)
        broken = []
    except SchemaErrors as errors:
        broken = _broken_rules(log, errors)
    return ValidationResult(frame.select(series.name for series in typed), _reasons(log, broken, unreadable))


def _broken_rules(log: Log, errors: SchemaErrors) -> list[pl.DataFrame]:
    """For each broken rule, which rows break it: frames of `index`, `column`, `rule`."""
    cases = errors.failure_cases
    if cases["index"].has_nulls():
        first = cases.filter(pl.col("index").is_null()).row(0, named=True)
        raise AdmissionError(f"{log}: check {first['check']} of {first['column']} raised: {first['failure_case']}")
    return [cases.select(pl.col("index").cast(pl.Int64), "column", rule=pl.col("check"))]


def _reasons(log: Log, broken: list[pl.DataFrame], unreadable: Sequence[UnreadableValue]) -> pl.DataFrame:
    columns = {column.name: column for column in COLUMNS[log]}
    found_by_reader = pl.DataFrame(
        [(fault.index, fault.column, fault.rule) for fault in unreadable],
        schema={"index": pl.Int64, "column": pl.String, "rule": pl.String},
        orient="row",
    )
    found = pl.concat([found_by_reader, *broken])
    if found.is_empty():
        return pl.DataFrame(schema={"index": pl.Int64, "reasons": pl.List(pl.String)})
    # A value that could not be read is null for the contract: it is not reported as missing as well. Where the reader
    # found that there is no text, its words are the better ones.
    is_absence, is_unread = pl.col("rule") == "not_nullable", pl.col("rule") == "readable"
    place = ["index", "column"]
    unread = found.filter(is_unread).select(place)
    told = pl.concat(
        [
            found.filter(~is_absence & ~is_unread),
            found.filter(is_absence).join(pl.concat([unread, found_by_reader.select(place)]), on=place, how="anti"),
            found.filter(is_unread).join(found_by_reader.select(place), on=place, how="anti"),
        ]
    )
    worded = told.with_columns(
        reason=pl.concat_str("column", pl.lit(": "), _in_words(columns)),
        place=pl.col("column").replace_strict({name: place for place, name in enumerate(columns)}, default=-1),
    )
    return (
        worded.unique(["index", "reason"])
        .sort("index", "place", "reason")
        .group_by("index", maintain_order=True)
        .agg(reasons=pl.col("reason"))
    )


def _in_words(columns: dict[str, LogColumn]) -> pl.Expr:
    """The rule as a person reads it."""
    unreadable_rule = pl.col("column").replace_strict(
        {name: column.read_as.rule for name, column in columns.items()}, default=None, return_dtype=pl.String
    )
    return (
        pl.when(pl.col("rule") == "not_nullable")
        .then(pl.lit("is required"))
        .when(pl.col("rule") == "readable")
        .then(unreadable_rule)
        .otherwise(pl.col("rule"))
    )
