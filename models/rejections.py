"""Rejected rows: reasons for a whole line, the marker of an erased row in quarantine, and the result of a validation.

Not here: the rules for values (`models.logs`), which give the other reasons; applying them (`quality.admission`).
"""

from dataclasses import dataclass

import polars as pl

NOT_UTF8 = "line: is not valid UTF-8"
HAS_NUL = "line: holds a NUL"
TOO_LONG = "line: is longer than 1 MiB"

ERASED_RAW_ROW = "erased"
"""The raw row in quarantine after the contact or number in it was erased."""


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
