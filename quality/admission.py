"""Admission: validates a batch of records, as text, against the contract of its log, and gives the reasons of rejected rows.

Text is trimmed, defaults replace nulls, values are read as their types, and the pandera contract checks the whole batch at
once. Every rule that a row breaks becomes one reason, which names the column and the rule.

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
    """A contract could not be checked. The contract or the load is wrong, not a row: the load must stop."""


class UnreadableValue(Protocol):
    """A value that is not text in its file, such as a boolean in JSON. The reader of the file reports it.

    `index` is the row's position in the batch; `rule` is the reason that the row is rejected with.
    """

    @property
    def index(self) -> int: ...

    @property
    def column(self) -> str: ...

    @property
    def rule(self) -> str: ...


@dataclass(frozen=True)
class ValidationResult:
    """A validated batch.

    `rows` holds every row of the batch with the types of the contract, null where a value could not be read. `reasons` has
    a row for each rejected row: `index` (its position in the batch) and `reasons` (a list of strings).
    """

    rows: pl.DataFrame
    reasons: pl.DataFrame


def validate(log: Log, text: pl.DataFrame, unreadable: Sequence[UnreadableValue] = ()) -> ValidationResult:
    """Validates a batch against the contract of its log.

    Args:
        text: the log's columns as strings, in the contract's order.
        unreadable: values that are null in `text` because they are not text in the file.

    Raises:
        AdmissionError: a check could not be evaluated, so that no row of the batch was validated.
    """
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
    try:
        CONTRACTS[log].validate(frame, lazy=True)
        broken_rules = []
    except SchemaErrors as errors:
        broken_rules = [_broken_rules(log, errors)]
    return ValidationResult(frame.select(series.name for series in typed), _reasons(log, broken_rules, unreadable))


def _broken_rules(log: Log, errors: SchemaErrors) -> pl.DataFrame:
    """Which rows break which rules: columns `index`, `column`, `rule`."""
    cases: pl.DataFrame = errors.failure_cases
    if cases["index"].has_nulls():
        first = cases.filter(pl.col("index").is_null()).row(0, named=True)
        raise AdmissionError(f"{log}: check {first['check']} of {first['column']} raised: {first['failure_case']}")
    return cases.select(pl.col("index").cast(pl.Int64), "column", rule=pl.col("check"))


def _reasons(log: Log, broken_rules: list[pl.DataFrame], unreadable: Sequence[UnreadableValue]) -> pl.DataFrame:
    columns = {column.name: column for column in COLUMNS[log]}
    reported_by_reader = pl.DataFrame(
        [(fault.index, fault.column, fault.rule) for fault in unreadable],
        schema={"index": pl.Int64, "column": pl.String, "rule": pl.String},
        orient="row",
    )
    faults = pl.concat([reported_by_reader, *broken_rules])
    if faults.is_empty():
        return pl.DataFrame(schema={"index": pl.Int64, "reasons": pl.List(pl.String)})
    # An unreadable value is null for the contract: it is not reported as missing, too. Where the reader of the file
    # reported the value, only the reader's rule is kept.
    is_missing, is_unreadable = pl.col("rule") == "not_nullable", pl.col("rule") == "readable"
    cell = ["index", "column"]
    unreadable_cells = faults.filter(is_unreadable).select(cell)
    reported_cells = reported_by_reader.select(cell)
    kept = pl.concat(
        [
            faults.filter(~is_missing & ~is_unreadable),
            faults.filter(is_missing).join(pl.concat([unreadable_cells, reported_cells]), on=cell, how="anti"),
            faults.filter(is_unreadable).join(reported_cells, on=cell, how="anti"),
        ]
    )
    positions = {name: position for position, name in enumerate(columns)}
    return (
        kept.with_columns(
            reason=pl.concat_str("column", pl.lit(": "), _rule_text(columns)),
            position=pl.col("column").replace_strict(positions, default=-1),
        )
        .unique(["index", "reason"])
        .sort("index", "position", "reason")
        .group_by("index", maintain_order=True)
        .agg(reasons=pl.col("reason"))
    )


def _rule_text(columns: dict[str, LogColumn]) -> pl.Expr:
    """The rule in words."""
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
