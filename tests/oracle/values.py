"""Single values in the oracle: trimming a text, and checking it by the rule of its column.

Not here: rows (`admission`), files and formats (`records`).
"""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.oracle.logs import Column

WHITE_SPACE = " \t\n\v\f\r"

# Spelt with [0-9] throughout: \d also matches digits of other scripts.
TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})0*)?)?"
    r"(?: UTC| GMT| ?[Zz]| ?([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
INTEGER = re.compile(r"([+-]?[0-9]+)(?:\.0+)?")
DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")
PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
CURRENCY = re.compile(r"[A-Za-z]{3}")

FIRST_MOMENT = datetime(1990, 1, 1)
AFTER_LAST_MOMENT = datetime(2100, 1, 1)


class Fault(Exception):
    """A value that breaks a rule; the message names the rule."""


def trimmed(text: str | None) -> str | None:
    """The text without surrounding ASCII white space; None if nothing is left."""
    if text is None:
        return None
    return text.strip(WHITE_SPACE) or None


def ascii_upper(text: str) -> str:
    """The text with ASCII letters in upper case; str.upper would turn the long s (U+017F) into an S."""
    return "".join(chr(ord(letter) - 32) if "a" <= letter <= "z" else letter for letter in text)


def ascii_lower(text: str) -> str:
    """The text with ASCII letters in lower case."""
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)


def timestamp(text: str) -> datetime:
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        raise Fault("not a timestamp")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    microsecond = int((fraction or "").ljust(6, "0"))
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond)
    except ValueError:
        raise Fault("no such moment") from None
    if int(offset_hours or 0) > 23 or int(offset_minutes or 0) > 59:
        raise Fault("no such offset")
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        moment = local + offset if sign == "-" else local - offset
    except OverflowError:
        raise Fault("outside 1990 to 2099") from None
    if not FIRST_MOMENT <= moment < AFTER_LAST_MOMENT:
        raise Fault("outside 1990 to 2099")
    return moment


def calendar_date(text: str) -> date:
    """Any date that exists: only timestamps have a range of years."""
    match = DATE.fullmatch(text)
    if match is None:
        raise Fault("not a date")
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        raise Fault("no such day") from None


def integer(text: str) -> int:
    match = INTEGER.fullmatch(text)
    if match is None:
        raise Fault("not an integer")
    text = match[1]
    if len(text.lstrip("+-").lstrip("0")) > 10:
        # Beyond 32 bits for certain, and spares int() a text of any length.
        raise Fault("beyond 32 bits")
    value = int(text)
    if not -(2**31) <= value < 2**31:
        raise Fault("beyond 32 bits")
    return value


def decimal(text: str, digits: tuple[int, int]) -> Decimal:
    match = DECIMAL.fullmatch(text)
    if match is None:
        raise Fault("not a decimal")
    sign, before, after = match[1], match[2], match[3] or ""
    # Silent: whether a point may stand first or last. `.5` and `5.` are taken, a point alone is not.
    if not before and not after:
        raise Fault("not a decimal")
    # Written out: the exponent moves the point over the digits.
    exponent = int(match[4] or 0)
    if exponent > 0:
        before, after = before + after[:exponent].ljust(exponent, "0"), after[exponent:]
    elif exponent < 0:
        before = before.rjust(-exponent, "0")
        before, after = before[:exponent], before[exponent:] + after
    before, after = before.lstrip("0"), after.rstrip("0")
    if len(before) > digits[0] or len(after) > digits[1]:
        raise Fault("more digits than the type holds")
    value = Decimal(f"{before or '0'}.{after or '0'}")
    return -value if sign == "-" and value else value


def typed(column: Column, text: str) -> object:
    """The value of a trimmed, non-empty text.

    Raises:
        Fault: the text breaks the rule of the column.
    """
    if "\0" in text:
        # Raw NULs break a line; one that comes by a JSON escape or in Parquet breaks its value.
        raise Fault("holds a NUL")
    value: object = text
    if column.kind == "timestamp":
        value = timestamp(text)
    elif column.kind == "date":
        value = calendar_date(text)
    elif column.kind == "integer":
        value = integer(text)
    elif column.kind == "decimal":
        value = decimal(text, column.digits)
    elif column.kind == "id" and len(text) > 128:
        raise Fault("longer than 128 characters")
    elif column.kind == "phone" and PHONE.fullmatch(text) is None:
        raise Fault("not E.164")
    elif column.kind == "currency":
        if CURRENCY.fullmatch(text) is None:
            raise Fault("not three ASCII letters")
        value = ascii_upper(text)
    elif column.kind == "upper":
        value = ascii_upper(text)
    if column.one_of is not None and value not in column.one_of:
        raise Fault(f"not one of {', '.join(column.one_of)}")
    if column.least is not None and value < column.least:
        raise Fault(f"less than {column.least}")
    if column.greatest is not None and value > column.greatest:
        raise Fault(f"more than {column.greatest}")
    if column.above is not None and value <= column.above:
        raise Fault(f"not above {column.above}")
    return value
