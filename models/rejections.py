"""Rejected rows: reasons for a whole line, the marker of an erased row in quarantine, and the result of a validation.

Not here: the rules for values (`models.logs`), which give the other reasons; applying them (`quality.admission`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

NOT_UTF8 = "line: is not valid UTF-8"
HAS_NUL = "line: holds a NUL"
TOO_LONG = "line: is longer than 1 MiB"

ERASED_RAW_ROW = "erased"
"""The raw row in quarantine after the contact or number in it was erased."""


WITHOUT_VALUES = (r"(?s) failed \(.*\)$", " failed")
"""A pattern and its replacement, which remove the values from a reason of `failed_expression`: they are personal data."""

MAX_EXPRESSION_CHARACTERS, MAX_VALUE_CHARACTERS = 200, 100


def failed_expression(expression: str, message: str, values: Mapping[str, str | None]) -> str:
    """The rule of a row on which an expression of a mapping failed: the expression, why, and the values that it read."""
    details = [message, *(f"{name} = {_shown(value)}" for name, value in values.items())]
    in_words = "; ".join(detail for detail in details if detail)
    return f"{_cut(' '.join(expression.split()), MAX_EXPRESSION_CHARACTERS)} failed ({in_words})"


def without_values(reason: str) -> str:
    """A reason without the values that an expression failed on."""
    return re.sub(*WITHOUT_VALUES, reason)


def erase_reasons(raw_row: str, reasons: list[str]) -> list[str]:
    """The reasons of a row in quarantine, without values if the row is erased."""
    return [without_values(reason) for reason in reasons] if raw_row == ERASED_RAW_ROW else reasons


def _shown(value: str | None) -> str:
    return "null" if value is None else repr(_cut(value, MAX_VALUE_CHARACTERS))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


@dataclass(frozen=True)
class UnreadableValue:
    """A value that is neither text nor a number. The reader of the file reports it, since only it sees the types of the
    format. `index` is the row's position in the batch; `rule` is the reason that the row is rejected with.
    """

    index: int
    column: str
    rule: str


@dataclass(frozen=True)
class ValidationResult:
    """A validated batch: `rows` with the types of the contract, null where unreadable; `reasons` with `index` and `reasons`
    (a list) of each rejected row.
    """

    rows: pl.DataFrame
    reasons: pl.DataFrame
