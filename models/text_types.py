"""Parsers from text to types, the same for every log and file format. Text is matched with a pattern before it is cast,
because casts accept more than the rules do (`1_000`, `24:00:00`, a seventh decimal), or round silently.

Not here: the type of each column, and whether it is required (`logs`).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa

ASCII_WHITE_SPACE = " \t\n\x0b\x0c\r"
_FIRST_PRINTABLE = "!"
"""The first character after white space in the order of strings."""

MAX_ID_CHARACTERS = 128
FIRST_YEAR, LAST_YEAR = 1990, 2099

Reader = Callable[[pl.Series], pl.Series]


@dataclass(frozen=True)
class TextType:
    """A type of values in the logs, and its parser."""

    name: str
    dtype: pl.DataType
    rule: str
    read: Reader = field(repr=False, compare=False)


def trimmed(text: pl.Series) -> pl.Series:
    """`text` without surrounding ASCII white space; an empty string becomes null."""
    # Hardly any value has white space at its ends, and trimming every value costs far more than comparing them.
    if not any((end < _FIRST_PRINTABLE).any() for end in (text, text.str.slice(-1))):
        return text
    text = text.str.strip_chars(ASCII_WHITE_SPACE)
    return text.set(text.str.len_bytes() == 0, None)


def _matching(text: pl.Series, pattern: str) -> pl.Series:
    """`text`, null where it does not match the pattern."""
    matches = text.str.contains(pattern)
    return text if matches.all() else text.set(~matches, None)


def _as_id(text: pl.Series) -> pl.Series:
    return text.set(text.str.len_chars() > MAX_ID_CHARACTERS, None)


def _as_string(text: pl.Series) -> pl.Series:
    return text


def _as_currency(text: pl.Series) -> pl.Series:
    return _matching(text, r"^[A-Za-z]{3}$").str.to_uppercase()


def _as_campaign_type(text: pl.Series) -> pl.Series:
    # The pattern lists both cases: Unicode upper-casing would turn the long s (U+017F) into S.
    return _matching(text, r"^[SsMm][Mm][Ss]$").str.to_uppercase()


def _where_null(values: pl.Series, text: pl.Series, pattern: str, read: Reader) -> pl.Series:
    """`values`; where they are null and the text matches the pattern, what `read` makes of the text. It casts nothing else:
    hardly any text is written in a rarer notation.
    """
    if values.null_count() == text.null_count():
        return values
    others = (values.is_null() & text.str.contains(pattern)).fill_null(value=False).arg_true()
    return values.scatter(others, read(text.gather(others))) if len(others) else values


def _as_integer(text: pl.Series) -> pl.Series:
    plain = _matching(text, r"^[+-]?0*[0-9]{1,10}$").cast(pl.Int32, strict=False)
    return _where_null(plain, text, r"^[+-]?[0-9]+\.0+$", lambda other: _as_integer(other.str.split(".").list.first()))


_WITH_EXPONENT = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]{1,3}$"


def _as_decimal(precision: int, scale: int) -> Reader:
    whole = precision - scale
    pattern = rf"^[+-]?(?:0*[0-9]{{1,{whole}}}(?:\.[0-9]{{0,{scale}}}0*)?|0*\.[0-9]{{1,{scale}}}0*)$"

    def read_plain(text: pl.Series) -> pl.Series:
        return _matching(text, pattern).cast(pl.Decimal(precision, scale), strict=False)

    def read(text: pl.Series) -> pl.Series:
        return _where_null(read_plain(text), text, _WITH_EXPONENT, lambda other: read_plain(_without_exponent(other)))

    return read


def _without_exponent(text: pl.Series) -> pl.Series:
    """Numbers written out: the digits before and after the point are counted in this form."""
    return pl.Series([f"{Decimal(number):f}" for number in text], dtype=pl.String)


def _as_date(text: pl.Series) -> pl.Series:
    day = _matching(text, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$").str.to_date("%Y-%m-%d", strict=False)
    return day.set(day.dt.year() < 1, None)  # polars accepts the year 0


_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SECONDS = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_IN_UTC = rf"^{_DAY}[T ]{_SECONDS}(?:\.[0-9]{{1,6}}0*)?(?: ?(?:[Zz]|[+-]00:?00)| UTC| GMT)?$"
_LENGTH_TO_SECONDS = len("2026-01-05T12:00:00")
_FIRST_MOMENT, _LAST_MOMENT = datetime(FIRST_YEAR, 1, 1), datetime(LAST_YEAR, 12, 31, 23, 59, 59, 999_999)
_MICROSECONDS_PER_UNIT = pl.Series([10 ** (6 - digits) for digits in range(7)])
"""By the number of digits of the fraction."""
_ANY_TIMESTAMP = (
    rf"^(?P<day>{_DAY})[Tt ](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,6})0*)?)?"
    r"(?: ?(?:[Zz]|(?P<sign>[+-])(?P<offset_hour>[01][0-9]|2[0-3])(?::?(?P<offset_minute>[0-5][0-9]))?)| UTC| GMT)?$"
)


def _as_timestamp(text: pl.Series) -> pl.Series:
    in_utc = text.str.contains(_IN_UTC)
    if in_utc.all():
        moment = _timestamp_in_utc(text)
    else:
        other_rows = (~in_utc).arg_true()
        moment = _timestamp_in_utc(text.set(~in_utc, None)).scatter(other_rows, _any_timestamp(text.gather(other_rows)))
    # The range is in UTC, after the offset: 1989-12-31T23:30-01:00 is in range, 1990-01-01T00:00+01:00 is not.
    return moment.set(~moment.is_between(_FIRST_MOMENT, _LAST_MOMENT), None)


def _timestamp_in_utc(text: pl.Series) -> pl.Series:
    """Timestamps with seconds and no offset other than UTC, by the fast parsers for a fixed format."""
    has_zone = any(text.str.ends_with(zone).all() for zone in ("Z", "+00:00"))
    if has_zone or text.str.len_bytes().max() == _LENGTH_TO_SECONDS:
        # Where all rows have one notation: Arrow takes long to find that it cannot read one.
        with suppress(pa.ArrowInvalid):  # the 30th of February
            zoned = text.to_arrow().cast(pa.timestamp("us", "UTC" if has_zone else None))
            return pl.Series(zoned.cast(pa.timestamp("us")))
    head = text.str.head(_LENGTH_TO_SECONDS)
    moment = head.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    if moment.null_count() > head.null_count():
        unparsed = (moment.is_null() & head.is_not_null()).arg_true()
        spaced = head.gather(unparsed).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
        moment = moment.scatter(unparsed, spaced)
    if not (text.str.len_bytes() > _LENGTH_TO_SECONDS + len("Z")).any():
        return moment
    # The digits after the point, without the offset of UTC and without trailing zeros.
    digits = text.str.slice(_LENGTH_TO_SECONDS + len(".")).str.strip_chars_end("0Zz+-: UTCGM")
    microseconds = digits.cast(pl.Int64, strict=False) * _MICROSECONDS_PER_UNIT.gather(digits.str.len_bytes())
    return moment + microseconds.fill_null(0).cast(pl.Duration("us"))


def _any_timestamp(text: pl.Series) -> pl.Series:
    """Every notation that the rule allows, parsed by its parts."""
    part = {
        name: pl.col("part").struct.field(name)
        for name in ("day", "hour", "minute", "second", "fraction", "sign", "offset_hour", "offset_minute")
    }

    def number(name: str) -> pl.Expr:
        return part[name].cast(pl.Int64, strict=False).fill_null(0)

    microsecond = part["fraction"].str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(part["sign"] == "-").then(-1).otherwise(1)
    offset_minutes = (number("offset_hour") * 60 + number("offset_minute")) * sign
    minutes = number("hour") * 60 + number("minute") - offset_minutes
    since_midnight = (minutes * 60 + number("second")) * 1_000_000 + microsecond
    midnight = part["day"].str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return (
        text.to_frame("text")
        .select(part=pl.col("text").str.extract_groups(_ANY_TIMESTAMP))
        .select(moment=midnight + pl.duration(microseconds=since_midnight))
        .to_series()
    )


ID = TextType("id", pl.String(), f"must be 1 to {MAX_ID_CHARACTERS} characters", _as_id)
STRING = TextType("string", pl.String(), "must be text", _as_string)
CAMPAIGN_TYPE = TextType("campaign type", pl.String(), "must be SMS or MMS", _as_campaign_type)
CURRENCY = TextType("currency", pl.String(), "must be three ASCII letters", _as_currency)
INTEGER = TextType(
    "integer", pl.Int32(), "must be a whole number of 32 bits, in digits; a point and zeros may follow", _as_integer
)
DATE = TextType("date", pl.Date(), "must be a real date YYYY-MM-DD", _as_date)
TIMESTAMP = TextType(
    "timestamp",
    pl.Datetime("us"),
    f"must be a real moment from {FIRST_YEAR} to {LAST_YEAR}, as YYYY-MM-DDTHH:MM[:SS[.ffffff]]"
    " with Z, UTC, GMT, an offset or nothing for UTC",
    _as_timestamp,
)


def decimal(precision: int, scale: int) -> TextType:
    """A decimal number of at most `precision` digits, `scale` of them after the point; more digits are never rounded."""
    most = f"at most {precision - scale} digits before the point and {scale} after it"
    rule = f"must be a decimal number with {most}, without separators"
    return TextType("decimal", pl.Decimal(precision, scale), rule, _as_decimal(precision, scale))
