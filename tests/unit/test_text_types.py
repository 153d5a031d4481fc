"""The text types: the texts that each accepts with their values, the texts that it rejects, in batches of any composition."""

import random
from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text_types import CAMPAIGN_TYPE, CURRENCY, DATE, ID, INTEGER, STRING, TIMESTAMP, decimal, trimmed
from tests.oracle.logs import Column
from tests.oracle.values import Fault, typed

MONEY, COST, RATE = decimal(18, 4), decimal(18, 6), decimal(20, 10)
NOON = datetime(2026, 1, 5, 12)

TAKEN = [
    (INTEGER, "0", 0),
    (INTEGER, "7", 7),
    (INTEGER, "+7", 7),
    (INTEGER, "-7", -7),
    (INTEGER, "-0", 0),
    (INTEGER, "007", 7),
    (INTEGER, "-007", -7),
    (INTEGER, "+" + "0" * 40 + "7", 7),
    (INTEGER, "0" * 40, 0),
    (INTEGER, "-" + "0" * 5000 + "2147483648", -2147483648),
    (INTEGER, "2147483647", 2147483647),
    (INTEGER, "0002147483647", 2147483647),
    (INTEGER, "-2147483648", -2147483648),
    (INTEGER, "1.0", 1),
    (INTEGER, "-007.000", -7),
    (INTEGER, "2147483647." + "0" * 5000, 2147483647),
    (MONEY, "0", Decimal(0)),
    (MONEY, "-0", Decimal(0)),
    (MONEY, "12", Decimal(12)),
    (MONEY, "12.5", Decimal("12.5")),
    (MONEY, "12.50", Decimal("12.5")),
    (MONEY, "12.500", Decimal("12.5")),
    (MONEY, "12." + "0" * 40, Decimal(12)),
    (MONEY, "+12.5", Decimal("12.5")),
    (MONEY, "-12.05", Decimal("-12.05")),
    (MONEY, "100", Decimal(100)),
    (MONEY, "100.00", Decimal(100)),
    (MONEY, "0" * 40 + "12.5", Decimal("12.5")),
    (MONEY, "-000.05", Decimal("-0.05")),
    (MONEY, "0" * 5000 + "1.5" + "0" * 5000, Decimal("1.5")),
    (MONEY, ".5", Decimal("0.5")),
    (MONEY, "-.50", Decimal("-0.5")),
    (MONEY, "+5.", Decimal(5)),
    (MONEY, "9" * 14 + ".9999", Decimal("9" * 14 + ".9999")),
    (MONEY, "-" + "9" * 14 + ".9999", Decimal("-" + "9" * 14 + ".9999")),
    (MONEY, "12.345", Decimal("12.345")),
    (MONEY, "1e3", Decimal(1000)),
    (MONEY, "1E-2", Decimal("0.01")),
    (MONEY, "-1.25e+1", Decimal("-12.5")),
    (MONEY, "12345000e-7", Decimal("1.2345")),
    (MONEY, ".5e1", Decimal(5)),
    (MONEY, "5.E0", Decimal(5)),
    (MONEY, "0e999", Decimal(0)),
    (MONEY, "-0.00e-999", Decimal(0)),
    (MONEY, "1" + "0" * 999 + "e-999", Decimal(1)),
    (COST, "3.8e-05", Decimal("0.000038")),
    (COST, "9" * 12 + "." + "9" * 6, Decimal("9" * 12 + "." + "9" * 6)),
    (COST, "0.000001", Decimal("0.000001")),
    (RATE, "9" * 10 + "." + "9" * 10, Decimal("9" * 10 + "." + "9" * 10)),
    (RATE, "0.0000000001", Decimal("0.0000000001")),
    (RATE, "3.89e-05", Decimal("0.0000389")),
    (RATE, "1e-010", Decimal("0.0000000001")),
    (DATE, "2026-01-05", date(2026, 1, 5)),
    (DATE, "2024-02-29", date(2024, 2, 29)),
    (DATE, "2000-02-29", date(2000, 2, 29)),
    (DATE, "2026-12-31", date(2026, 12, 31)),
    (TIMESTAMP, "2026-01-05T12:00", NOON),
    (TIMESTAMP, "2026-01-05 12:00", NOON),
    (TIMESTAMP, "2026-01-05T12:00Z", NOON),
    (TIMESTAMP, "2026-01-05T12:00:00", NOON),
    (TIMESTAMP, "2026-01-05 12:00:00Z", NOON),
    (TIMESTAMP, "2026-01-05T12:34:56", datetime(2026, 1, 5, 12, 34, 56)),
    (TIMESTAMP, "2026-01-05T12:34:56.7", datetime(2026, 1, 5, 12, 34, 56, 700000)),
    (TIMESTAMP, "2026-01-05T12:34:56.000001Z", datetime(2026, 1, 5, 12, 34, 56, 1)),
    (TIMESTAMP, "2026-01-05T12:34:56.123456+00:00", datetime(2026, 1, 5, 12, 34, 56, 123456)),
    (TIMESTAMP, "2026-01-05 12:34:56.1020-0000", datetime(2026, 1, 5, 12, 34, 56, 102000)),
    (TIMESTAMP, "2026-01-05T12:34:00.100000Z", datetime(2026, 1, 5, 12, 34, 0, 100000)),
    (TIMESTAMP, "2026-01-05T12:34:56.000000+0000", datetime(2026, 1, 5, 12, 34, 56)),
    (TIMESTAMP, "2026-01-05T12:00:00+0000", NOON),
    (TIMESTAMP, "2026-01-05T14:00+02:00", NOON),
    (TIMESTAMP, "2026-01-05T14:00:00+0200", NOON),
    (TIMESTAMP, "2026-01-05 14:00:00.0+02", NOON),
    (TIMESTAMP, "2026-01-05T06:30:00-05:30", NOON),
    (TIMESTAMP, "2026-01-05T06:30-0530", NOON),
    (TIMESTAMP, "2026-01-05T07:00-05", NOON),
    (TIMESTAMP, "2026-01-06T11:59:00+23:59", NOON),
    (TIMESTAMP, "2026-01-04T12:01:00-23:59", NOON),
    (TIMESTAMP, "2026-01-05T12:00:00-00:00", NOON),
    (TIMESTAMP, "2026-01-05t12:00:00z", NOON),
    (TIMESTAMP, "2026-01-05T12:00:00z", NOON),
    (TIMESTAMP, "2026-01-05t12:00", NOON),
    (TIMESTAMP, "2026-01-05 12:00:00 Z", NOON),
    (TIMESTAMP, "2026-01-05 12:00 z", NOON),
    (TIMESTAMP, "2026-01-05 12:00:00 UTC", NOON),
    (TIMESTAMP, "2026-01-05 12:00 GMT", NOON),
    (TIMESTAMP, "2026-01-05 12:00:00.25 UTC", datetime(2026, 1, 5, 12, 0, 0, 250000)),
    (TIMESTAMP, "2026-01-05 07:00:00 -0500", NOON),
    (TIMESTAMP, "2026-01-05 14:00 +02", NOON),
    (TIMESTAMP, "2026-01-05T12:00:00 +00:00", NOON),
    (TIMESTAMP, "2026-01-05T12:00:00.000000000Z", NOON),
    (TIMESTAMP, "2026-01-05T12:34:56.100000000", datetime(2026, 1, 5, 12, 34, 56, 100000)),
    (TIMESTAMP, "2026-01-05T12:34:56.123456" + "0" * 5000 + " GMT", datetime(2026, 1, 5, 12, 34, 56, 123456)),
    (TIMESTAMP, "2026-01-05T14:34:56.123456000+02:00", datetime(2026, 1, 5, 12, 34, 56, 123456)),
    (TIMESTAMP, "2024-02-29T23:59:59", datetime(2024, 2, 29, 23, 59, 59)),
    (TIMESTAMP, "2024-02-28T23:30-01:00", datetime(2024, 2, 29, 0, 30)),
    (TIMESTAMP, "1990-01-01T00:00:00Z", datetime(1990, 1, 1)),
    (TIMESTAMP, "1989-12-31T23:30:00-01:00", datetime(1990, 1, 1, 0, 30)),
    (TIMESTAMP, "2099-12-31T23:59:59.999999", datetime(2099, 12, 31, 23, 59, 59, 999999)),
    (TIMESTAMP, "2100-01-01T00:30:00+01:00", datetime(2099, 12, 31, 23, 30)),
    (ID, "x", "x"),
    (ID, "X", "X"),
    (ID, "a b/ç-1", "a b/ç-1"),
    (ID, "x" * 128, "x" * 128),
    (ID, "é" * 128, "é" * 128),
    (ID, "😀" * 128, "😀" * 128),
    (STRING, "x" * 100_000, "x" * 100_000),
    (STRING, "null", "null"),
    (STRING, "a\nb", "a\nb"),
    (CURRENCY, "USD", "USD"),
    (CURRENCY, "eur", "EUR"),
    (CURRENCY, "gBp", "GBP"),
    (CAMPAIGN_TYPE, "SMS", "SMS"),
    (CAMPAIGN_TYPE, "sms", "SMS"),
    (CAMPAIGN_TYPE, "Mms", "MMS"),
]

REFUSED = [
    *(
        (INTEGER, text)
        for text in (
            *("2147483648", "-2147483649", "9999999999", "99999999999", "9" * 5000, "-" + "9" * 19),
            *(
                "1.5",
                "1.",
                ".0",
                "1.0.0",
                "1.00001",
                "1e0",
                "1e3",
                "1E3",
                "1.0e0",
                "2147483648.0",
                "-2147483649.00",
                "1_000",
                "1,000",
                "1 000",
                "0x10",
                "--1",
                "+-1",
                "+",
                "-",
                "1-",
            ),
            *("two", "true", "NaN", "infinity", "٣", "２", "1\n2", "−1", "1 "),
        )
    ),
    *(
        (MONEY, text)
        for text in (
            *("12.34567", "0.00001", "12.50001", "1" + "0" * 14, "9" * 15, "-" + "9" * 15 + ".9", "9" * 40, "9" * 5000),
            *(
                "1e14",
                "1e-5",
                "1.00001e0",
                "1e999",
                "1e-999",
                "1e0000",
                "1e",
                "e1",
                ".e1",
                "1e+",
                "1e1.0",
                "1e 1",
                "1e1e1",
            ),
            *("1_000", "1,000", "1,5", "1 000", "1.2.3", "--1", "+-1", "+", "-", ".", "-.", "$5", "5%"),
            *("NaN", "nan", "inf", "-infinity", "٣", "２.5", "1.２", "0x1", "ten", "1\n", "1.5 "),
        )
    ),
    *((COST, text) for text in ("0.0000001", "1" + "0" * 12, "1" * 13 + ".5", "1e-7", "3.89e-05")),
    *((RATE, text) for text in ("0.00000000001", "1" + "0" * 10, "1e-11", "1e10")),
    *(
        (DATE, text)
        for text in (
            *("2026-02-30", "2026-02-29", "1900-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-04-31"),
            *("2026-1-5", "20260105", "05/01/2026", "26-01-05", "2026-01-05T00:00", "2026-01-05Z", "2026/01/05"),
            *("+2026-01-05", "-2026-01-05", "02026-01-05", "0000-01-01", "٢٠٢٦-01-05", "today", "infinity"),
        )
    ),
    *(
        (TIMESTAMP, text)
        for text in (
            # Times that do not exist.
            *(
                "2026-02-30T00:00",
                "2026-02-29T00:00:00Z",
                "2026-13-01T00:00",
                "2026-00-01T00:00:00",
                "2026-01-32T00:00",
            ),
            *(
                "2026-01-05T24:00",
                "2026-01-05T24:00:00",
                "2026-01-05T25:00:00",
                "2026-01-05T12:60",
                "2026-01-05T12:00:60",
            ),
            *("2026-02-30T00:00:00.5", "2026-06-30T23:59:60Z", "0000-01-01T00:00:00"),
            # Other notations.
            *("2026-01-05", "2026-01-05T", "2026-01-05T12", "2026-01-05T12Z", "2026-01-05T1200", "20260105T120000Z"),
            *("2026-1-5T12:00", "2026-01-05T1:00", "2026-01-05  12:00", "2026-01-05  12:00:00"),
            *("2026-01-05T12:00:00.", "2026-01-05T12:00:00.Z", "2026-01-05T12:00.5", "2026-01-05T12:00:00,5"),
            *(
                "2026-01-05T12:00:00.1234567",
                "2026-01-05T12:00:00.000000001Z",
                "2026-01-05T12:00:0",
                "2026-01-05T12:00:",
            ),
            *("2026-01-05\t12:00:00", "2026-01-05_12:00:00", "2026-01-05T12:00:00  Z", "2026-01-05T12:00:00Z UTC"),
            *("2026-01-05T12:00:00 utc", "2026-01-05T12:00:00UTC", "2026-01-05T10:00GMT", "2026-01-05T12:00:00  UTC"),
            *(
                "2026-01-05T12:00:00 CET",
                "2026-01-05T12:00:00 UTC+1",
                "2026-01-05T12:00:00 Zulu",
                "05/01/2026 12:00:00",
            ),
            *("2026-01-05T12:00:00 +", "2026-01-05T12:00:00  +01:00", "2026-01-05T12:00:00 + 01:00", "1767571200.0"),
            *("2026-01-05T12:00:00Europe/Berlin", "2026-01-05T12:00:00Z+00:00", "2026-01-05T12:00:00\n", "1767571200"),
            *("now", "infinity", "epoch", "+2026-01-05T12:00:00", "02026-01-05T12:00:00"),
            *("２０２６-01-05T12:00:00", "2026-01-05T12:00:0٠", "2026-01-05T12:00:00.٣", "2026-01-05T12:00:00−01:00"),
            # Offsets.
            *(
                "2026-01-05T12:00:00+24:00",
                "2026-01-05T12:00:00+2400",
                "2026-01-05T12:00:00+24",
                "2026-01-05T12:00-24:00",
            ),
            *(
                "2026-01-05T12:00:00+02:60",
                "2026-01-05T12:00:00+0260",
                "2026-01-05T12:00:00+2",
                "2026-01-05T12:00:00+02:",
            ),
            *(
                "2026-01-05T12:00:00+02:0",
                "2026-01-05T12:00:00+020",
                "2026-01-05T12:00:00+2:00",
                "2026-01-05T12:00:00+",
            ),
            *("2026-01-05T12:00:00+02:00:00", "2026-01-05T12:00:00+٠2:00"),
            # Outside 1990 to 2099, in UTC.
            *("1989-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z", "1970-01-01T00:00:00", "2262-01-01T00:00:00"),
            *(
                "1990-01-01T00:00:00+00:01",
                "1990-01-01T00:59:59+01",
                "2099-12-31T23:59:59-0001",
                "2099-12-31T23:00-01:00",
            ),
            *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59"),
        )
    ),
    (ID, "x" * 129),
    (ID, "é" * 129),
    *(
        (CURRENCY, text)
        for text in ("US", "USDT", "U$D", "840", "U D", "ÜSD", "ÉUR", "ſek", "ＵＳＤ", "USD\n", "EUR,USD", "\u212azt")
    ),
    # Unicode upper-casing would turn the long s and the Kelvin sign into S and K.
    *(
        (CAMPAIGN_TYPE, text)
        for text in ("FAX", "ſms", "ſMS", "smſ", "SMS MMS", "SM", "SMSS", "MSS", "ＳＭＳ", "sms\n")
    ),
]


def read(text_type, texts):
    series = text_type.read(pl.Series(texts, dtype=pl.String))
    assert series.dtype == text_type.dtype
    assert len(series) == len(texts)
    return series


def named(value):
    return repr(value[:40]) if isinstance(value, str) else getattr(value, "name", "")


@pytest.mark.parametrize(("text_type", "text", "value"), TAKEN, ids=named)
def test_text_that_keeps_the_rule_is_parsed_exactly(text_type, text, value):
    assert read(text_type, [text]).to_list() == [value]


@pytest.mark.parametrize(("text_type", "text"), REFUSED, ids=named)
def test_text_that_breaks_the_rule_is_null(text_type, text):
    assert read(text_type, [text]).is_null().to_list() == [True]


@pytest.mark.parametrize(
    "text_type", [INTEGER, MONEY, COST, RATE, DATE, TIMESTAMP, ID, STRING, CURRENCY, CAMPAIGN_TYPE]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_value_is_parsed_the_same_in_any_batch(text_type, seed):
    """The parsers have fast paths for uniform batches, which a mixed batch does not take."""
    batch = [(text, value) for of_type, text, value in TAKEN if of_type == text_type]
    batch += [(text, None) for of_type, text in REFUSED if of_type == text_type and not text.startswith("0000")]
    batch += [(None, None)] * 3
    random.Random(seed).shuffle(batch)
    assert read(text_type, [text for text, _ in batch]).to_list() == [value for _, value in batch]


@pytest.mark.parametrize("text_type", [INTEGER, MONEY, DATE, TIMESTAMP, ID, STRING, CURRENCY, CAMPAIGN_TYPE])
@pytest.mark.parametrize("length", [0, 1, 3])
def test_nulls_stay_null(text_type, length):
    assert read(text_type, [None] * length).to_list() == [None] * length


@pytest.mark.parametrize("white_space", [" ", "\t", "\n", "\x0b", "\x0c", "\r", " \t\n\x0b\x0c\r"], ids=repr)
def test_surrounding_ascii_white_space_is_trimmed_and_blank_text_is_null(white_space):
    texts = [f"{white_space}a b", f"a{white_space}", f"{white_space}a{white_space}", white_space, "", None, "a"]
    assert trimmed(pl.Series(texts, dtype=pl.String)).to_list() == ["a b", "a", "a", None, None, None, "a"]


@pytest.mark.parametrize("other", ["\u00a0", "\u2003", "\u3000", "\u200b", "\ufeff", "\x1c", "\x85", "\x00"], ids=repr)
def test_other_white_space_is_kept(other):
    texts = [f"{other}a", f"a{other}", other, " a "]
    assert trimmed(pl.Series(texts)).to_list() == [f"{other}a", f"a{other}", other, "a"]


def test_white_space_within_a_value_is_kept():
    assert trimmed(pl.Series([" a \t b ", "a\nb"])).to_list() == ["a \t b", "a\nb"]


# Comparison with an independent implementation of the rules

YEARS = ("0001", "1989", "1990", "2024", "2026", "2099", "2100", "9999")
DAYS = st.builds("{}-{:02}-{:02}".format, st.sampled_from(YEARS), st.integers(0, 13), st.integers(0, 32))
FRACTIONS = st.from_regex("[0-9]{0,7}0{0,3}", fullmatch=True)
CLOCKS = st.one_of(
    st.builds("{:02}:{:02}".format, st.integers(0, 24), st.integers(0, 60)),
    st.builds("{:02}:{:02}:{:02}".format, st.integers(0, 24), st.integers(0, 60), st.integers(0, 60)),
    st.builds("{:02}:{:02}:59.{}".format, st.integers(0, 24), st.integers(58, 60), FRACTIONS),
)  # fmt: skip
SIGNS = st.sampled_from(["+", "-", " +", " -"])
OFFSETS = st.one_of(
    st.sampled_from(["", "", "Z", "z", " Z", " z", " UTC", " GMT", "UTC", " CET", "  Z", "+"]),
    st.sampled_from(["+00:00", "-23:59", "+23:59"]),
    st.builds("{}{:02}{}{:02}".format, SIGNS, st.integers(0, 24), st.sampled_from(["", ":"]), st.integers(0, 60)),
    st.builds("{}{:02}".format, st.sampled_from("+-"), st.integers(0, 24)),
)  # fmt: skip
TIMESTAMPS = st.builds("{}{}{}{}".format, DAYS, st.sampled_from("TT  t"), CLOCKS, OFFSETS)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)
NUMBERS = st.from_regex(
    r"[+-]?0{0,3}[0-9]{0,18}(?:\.[0-9]{0,9}0{0,3})?(?:[eE][+-]?(?:0{0,2}[0-9]|[0-9]{0,4}))?", fullmatch=True
)

CROSS_CHECKED = {
    "timestamp": (TIMESTAMP, Column("x", "timestamp"), TIMESTAMPS),
    "date": (DATE, Column("x", "date"), DAYS),
    "integer": (INTEGER, Column("x", "integer"), st.one_of(NUMBERS, st.integers(-(2**32), 2**32).map(str))),
    "decimal(18,4)": (MONEY, Column("x", "decimal", digits=(14, 4)), NUMBERS),
    "decimal(18,6)": (COST, Column("x", "decimal", digits=(12, 6)), NUMBERS),
    "decimal(20,10)": (RATE, Column("x", "decimal", digits=(10, 10)), NUMBERS),
    "id": (ID, Column("x", "id"), st.integers(126, 130).map(lambda length: "ß" * length)),
    "string": (STRING, Column("x", "string"), ANY_TEXT),
    "currency": (CURRENCY, Column("x", "currency"), st.text("aZzſKéÜ1 ", min_size=2, max_size=4)),
    "campaign type": (CAMPAIGN_TYPE, Column("x", "upper", one_of=("SMS", "MMS")), st.text("sSmMſ", min_size=2, max_size=4)),
}  # fmt: skip


def oracle_reads(column: Column, text: str | None):
    try:
        return None if text is None else typed(column, text)
    except Fault:
        return None


@pytest.mark.parametrize("name", CROSS_CHECKED)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_random_batches_are_parsed_like_the_oracle(name, data):
    text_type, column, near_misses = CROSS_CHECKED[name]
    raw = data.draw(st.lists(st.one_of(near_misses, near_misses, near_misses, ANY_TEXT, st.none()), max_size=12))
    texts = trimmed(pl.Series(raw, dtype=pl.String))
    assert read(text_type, texts).to_list() == [oracle_reads(column, text) for text in texts]
