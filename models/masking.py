"""Masking of phone numbers in messages, logs and previews: `+44 7700 900123` and `00447700900123` become `+44…23`. Digits
alone are not masked, because an id or a count looks like a number without its plus.

Not here: published marts with masked numbers (`warehouse.publish.published_file`), erasure (`warehouse.erasure`).
"""

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

MASKED_COLUMNS = {"mobile_number"}
"""Columns whose values are always masked, whether or not they are valid numbers."""

HIDDEN_COLUMNS = {"contact_id", "raw_row", "url", "link", "user_agent"}
"""Columns that identify a person or hold text by a person: previews hide them."""

FREE_TEXT_COLUMNS = {"source"}
"""Text columns of marts that people wrote: if numbers are masked, the numbers in these texts are masked as well."""

PROVIDER_COLUMNS = {"provider", "provider_status", "error_code"}
"""Keys of marts in the words of a provider, which may quote a phone number: if numbers are masked, they are masked in these."""

ID_COLUMNS = {"message_id", "click_id", "order_id", "link"}
"""Keys of marts that a source may have composed of an id and a phone number: if numbers are masked, they are masked in these."""

NUMBER_AFTER_ID = r"([0-9A-Za-z][:|/])([0-9]{2})[0-9]{5,11}([0-9]{2})\b"
NUMBER_BEFORE_ID = r"\b([0-9]{2})[0-9]{5,11}([0-9]{2}[:|/])"
"""Digits within an id that may be a phone number without its plus, in the syntax that Python and RE2 share."""

NUMBER_IN_WORDS = r"(\+[0-9]{2})[0-9 ().-]{3,}([0-9]{2})"
DIGITS_IN_WORDS = r"([0-9]{2})[0-9]{6,}([0-9]{2})"
"""A phone number in a text, and ten or more digits, which may be one without its plus, in the same syntax."""

NUMBER_PATTERN = r"(?:\+|\b00)[1-9](?:[ ().-]{0,2}[0-9]){6,14}"
"""A phone number, in the syntax that Python and RE2 share."""

_NUMBER = re.compile(NUMBER_PATTERN + r"(?![0-9])")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

P = ParamSpec("P")
R = TypeVar("R")


def masked_number(number: str) -> str:
    """`+447700900123` becomes `+44…23`; a text that is too short for a number becomes `…`."""
    return f"{number[:3]}…{number[-2:]}" if len(number) > 7 else "…"


def masked(text: str) -> str:
    """The text with the numbers in it masked."""
    return _NUMBER.sub(lambda match: masked_number(match.group()), text)


def masked_in_ids(text: str) -> str:
    """The text with the numbers in it masked, also those without a plus that an id is composed of: `B1:44…23`."""
    text = re.sub(NUMBER_AFTER_ID, r"\1\2…\3", masked(text))
    return re.sub(NUMBER_BEFORE_ID, r"\1…\2", text)


def masked_in_words(text: str) -> str:
    """The text with the numbers in it masked, and any ten or more digits, since a malformed number has no plus."""
    return re.sub(DIGITS_IN_WORDS, r"\1…\2", re.sub(NUMBER_IN_WORDS, r"\1…\2", text))


def sanitize(text: str) -> str:
    """The text with masked numbers and escaped control characters, so that a name cannot move the cursor or break a line."""
    return _CONTROL_CHARACTERS.sub(lambda match: ascii(match.group())[1:-1], masked(text))


def printable(text: str, replacement: str = " ") -> str:
    """Text on one line: line breaks and control characters are replaced."""
    return "".join(character if character.isprintable() else replacement for character in text)


class _Mask(logging.Filter):
    """Masks a whole log record: message, arguments and traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Continuation lines are indented, so that no file name can pass for a log line.
        record.msg, record.args = sanitize(record.getMessage()).replace("\n", "\n  "), ()
        if record.exc_info:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def masking_logger(name: str) -> logging.Logger:
    """The logger of this name, whose records are masked before any handler gets them."""
    logger = logging.getLogger(name)
    if not any(isinstance(existing, _Mask) for existing in logger.filters):
        logger.addFilter(_Mask())
    return logger


def mask_error(error: BaseException | None) -> None:
    """Masks the messages of an exception and its causes: DuckDB and others quote values in their messages."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(masked(part) if isinstance(part, str) else part for part in error.args)
        error = error.__cause__ or error.__context__


def mask_phone_numbers_in_errors(stage: Callable[P, R]) -> Callable[P, R]:
    """A decorator that masks the exceptions of a function, before they reach a log, Dagster's history or the ledger."""

    @wraps(stage)
    def masking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return stage(*args, **kwargs)
        except Exception as error:
            mask_error(error)
            raise

    return masking
