"""Phone numbers are personal data: how they are masked wherever people, logs and tools read words about the data.

A number written internationally (`+44 7700 900123`, `00447700900123`) shows its first and last two digits: `+44…23`.
Digits alone are left as they are: an id or a count cannot be told from a number that lost its plus.

Not here: published marts with masked numbers (`warehouse.publish.publication`), erasure (`warehouse.erasure`).
"""

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

MASKED_COLUMNS = {"mobile_number"}
"""Columns of which, valid or not, no value is ever shown."""

HIDDEN_COLUMNS = {"contact_id", "raw_row", "url", "user_agent"}
"""Columns that stand for a person, or hold what a person wrote: previews leave them out."""

WORDS_COLUMNS = {"source"}
"""Columns of marts that hold a person's own words: where numbers are masked, those in the words are, too."""

NUMBER_PATTERN = r"(?:\+|\b00)[1-9](?:[ ().-]{0,2}[0-9]){6,14}"
"""In the syntax that Python's regular expressions and RE2 share."""

_NUMBER = re.compile(NUMBER_PATTERN + r"(?![0-9])")
_SIGNS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

P, R = ParamSpec("P"), TypeVar("R")


def masked_number(number: str) -> str:
    """`+447700900123` as `+44…23`; a text too short to be a number as nothing but `…`."""
    return f"{number[:3]}…{number[-2:]}" if len(number) > 7 else "…"


def masked(text: str) -> str:
    """The text with the numbers in it masked."""
    return _NUMBER.sub(lambda found: masked_number(found.group()), text)


def sanitize(text: str) -> str:
    """The text with its numbers masked and its control characters spelled out: what came in a file's name or in a value
    cannot move the cursor, break a line in two or turn the direction of writing.
    """
    return _SIGNS.sub(lambda found: ascii(found.group())[1:-1], masked(text))


class _Mask(logging.Filter):
    """Masks a record as a whole: its words, what is put into them, and the trace that goes with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Lines after the first are set in: no name of a file can pass for a line of the log.
        record.msg, record.args = sanitize(record.getMessage()).replace("\n", "\n  "), ()
        if record.exc_info:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def masking_logger(name: str) -> logging.Logger:
    """The logger of this name; whoever listens to it hears masked numbers only."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, _Mask) for known in logger.filters):
        logger.addFilter(_Mask())
    return logger


def mask_error(error: BaseException | None) -> None:
    """Masks the words of an error, and of those that led to it: engines quote the values that they stumble over."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(masked(part) if isinstance(part, str) else part for part in error.args)
        error = error.__cause__ or error.__context__


def mask_phone_numbers_in_errors(stage: Callable[P, R]) -> Callable[P, R]:
    """Whatever a stage raises has its numbers masked: before a log, Dagster's history or the ledger hears of it."""

    @wraps(stage)
    def masking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return stage(*args, **kwargs)
        except Exception as error:
            mask_error(error)
            raise

    return masking
