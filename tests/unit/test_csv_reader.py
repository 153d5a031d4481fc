"""The CSV reader: the records and broken lines that it returns, and the files that it refuses.

Every content is read in one block and in blocks of a few bytes, so that records cross block boundaries.

Not here: the rules for values (`test_text_types`, `test_admission`).
"""

import bz2
import gzip
import random
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.oracle import records as oracle
from tests.unit.conftest import SMALL_BLOCK, FileReading, read_whole
from warehouse.ingest.readers import csv_files, lines, open_records
from warehouse.ingest.readers.records import FileFormat, Layout, RefusedFile

LAYOUT = Layout(("a", "b"), ("a", "b"))
MIB = 1 << 20
MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Broken:
    """A broken line: the text that its only reason must contain, and the original line."""

    why: str
    raw: str


def records_of(reading: FileReading) -> list:
    """Rows and broken lines in the order of the file."""
    for reasons in reading.broken.values():
        assert len(reasons) == 1
        assert reasons[0].startswith("line: ")
    broken = {number: Broken(reasons[0], reading.broken_raw[number]) for number, reasons in reading.broken.items()}
    return [(reading.rows | broken)[number] for number in range(1, reading.count + 1)]


def check(reading: FileReading, expected: list) -> None:
    records = records_of(reading)
    comparable_records = [
        Broken(want.why, got.raw)
        if isinstance(got, Broken) and isinstance(want, Broken) and want.why in got.why
        else got
        for got, want in zip(records, expected, strict=False)
    ]
    assert comparable_records + records[len(expected) :] == expected


FIELDS, UNCLOSED, STRAY, AFTER = (
    "fields",
    "unclosed quote",
    "quote within an unquoted field",
    "text after a closing quote",
)
NOT_UTF8, NUL, TOO_LONG = "not valid UTF-8", "NUL", "longer than 1 MiB"

WELL_FORMED = {
    "plain": (b"1,2\n3,4\n", [("1", "2"), ("3", "4")]),
    "no line break at the end": (b"1,2\n3,4", [("1", "2"), ("3", "4")]),
    "CRLF": (b"1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
    "CRLF but for the end": (b"1,2\r\n3,4", [("1", "2"), ("3", "4")]),
    "mixed line ends": (b'1,2\r\n3,4\n"5",6\r\n"7","8"\n9,"0"\r\n', [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8"), ("9", "0")]),
    "empty fields": (b'1,\n,2\n,\n"",""\n', [("1", None), (None, "2"), (None, None)]),
    "blank lines": (b"\n1,2\n\n \t\r\n\x0b\x0c\n3,4\n\n\n", [("1", "2"), ("3", "4")]),
    "blank lines, CRLF": (b"\r\n1,2\r\n\r\n3,4\r\n\r\n", [("1", "2"), ("3", "4")]),
    "commas and blanks alone": (b',\n1,2\n,,,,\r\n , \n\t,\n3,4\n,', [("1", "2"), ("3", "4")]),
    "blank rows with the header's commas": (
        b",\n1,2\n , \r\n3,\n\t,4\n,\n,5\n",
        [("1", "2"), ("3", None), ("\t", "4"), (None, "5")],
    ),
    "commas and blanks alone, in quotes": (b'1,"x\n,\n,,\ny"\n,\n"",\n', [("1", "x\n,\n,,\ny"), (None, None)]),
    "a comma in quotes": (b'"1,1",2\n1,"2,2"\n', [("1,1", "2"), ("1", "2,2")]),
    "quotes in quotes": (b'"""",""""""\n"a""b",2\n', [('"', '""'), ('a"b', "2")]),
    "a line break in quotes": (b'1,"x\ny"\n"x\n\ny",2\n3,4\n', [("1", "x\ny"), ("x\n\ny", "2"), ("3", "4")]),
    "CRLF in quotes": (b'1,"x\r\ny"\r\n3,4\r\n', [("1", "x\r\ny"), ("3", "4")]),
    "a blank line in quotes": (b'1,"\n \n"\n3,4\n', [("1", "\n \n"), ("3", "4")]),
    "what looks like a record in quotes": (b'1,"\n5,6\n"\n3,4\n', [("1", "\n5,6\n"), ("3", "4")]),
    "a lone CR breaks no line": (b'1,x\ry\n3,"x\ry"\n', [("1", "x\ry"), ("3", "x\ry")]),
    "nor does any other": ("1,x\x0by\x0cz\x85\u2028\u2029\n3,4\n".encode(), [("1", "x\x0by\x0cz\x85\u2028\u2029"), ("3", "4")]),
    "letters of many bytes": ("é,日本\n😀,\"ß\n語\"\n".encode(), [("é", "日本"), ("😀", "ß\n語")]),
    "white space stays for the rules": (b' 1 ,"\t2"\n', [(" 1 ", "\t2")]),
    "no comments, no nulls in words": (b"#1,2\nNULL,NA\n\\N,\\\n", [("#1", "2"), ("NULL", "NA"), ("\\N", "\\")]),
    "single quotes are letters": (b"'1,1'\n", [("'1", "1'")]),
    "a mark that is not at the start of the file": (MARK + b"1,2\n" + MARK + b"3,4\n", [("\ufeff1", "2"), ("\ufeff3", "4")]),
}  # fmt: skip

BROKEN = {
    "too few fields": (b"1\n3,4\n", [Broken(FIELDS, "1"), ("3", "4")]),
    "too many fields": (b"1,2,3\n3,4\n", [Broken(FIELDS, "1,2,3"), ("3", "4")]),
    "a comma too many": (b"1,2,\n3,4\n", [Broken(FIELDS, "1,2,"), ("3", "4")]),
    "too few in quotes": (b'"1,2"\r\n3,4\r\n', [Broken(FIELDS, '"1,2"'), ("3", "4")]),
    "lines that would do together": (b"1\n,2\n3,4\n", [Broken(FIELDS, "1"), (None, "2"), ("3", "4")]),
    "an unclosed quote first": (b'1,"2\n3,4\n5,6\n', [Broken(UNCLOSED, '1,"2'), ("3", "4"), ("5", "6")]),
    "an unclosed quote in the middle": (b'1,2\n"3,4\n5,6\n', [("1", "2"), Broken(UNCLOSED, '"3,4'), ("5", "6")]),
    "an unclosed quote last": (b'1,2\n3,4\n5,"6\n', [("1", "2"), ("3", "4"), Broken(UNCLOSED, '5,"6')]),
    "an unclosed quote at the end of the file": (b'1,2\n5,"6', [("1", "2"), Broken(UNCLOSED, '5,"6')]),
    "a quote opened by the last byte": (b'1,2\n5,"', [("1", "2"), Broken(UNCLOSED, '5,"')]),
    "a quote left open by a doubled one": (b'1,"2""\n3,4\n', [Broken(UNCLOSED, '1,"2""'), ("3", "4")]),
    "every line with an unclosed quote": (b'1,"2\n3,4"\n5,"6\n7,8\n', [("1", "2\n3,4"), Broken(UNCLOSED, '5,"6'), ("7", "8")]),
    "closed by a quoted line": (b'1,"2\n"3",4\n', [Broken(AFTER, '1,"2'), ("3", "4")]),
    "closed with another number of fields": (
        b'1,"2\n3",4\n5,6\n',
        [Broken(FIELDS, '1,"2'), Broken(STRAY, '3",4'), ("5", "6")],
    ),
    "two unclosed, one after the other": (b'1,"2\n"3,4\n5,6\n', [Broken(AFTER, '1,"2'), Broken(UNCLOSED, '"3,4'), ("5", "6")]),
    "a quote within a field": (b'1,x"y\n3,4\n', [Broken(STRAY, '1,x"y'), ("3", "4")]),
    "a quote at the end of a field": (b'1",2\n3,4"\n5,6\n', [Broken(STRAY, '1",2'), Broken(STRAY, '3,4"'), ("5", "6")]),
    "white space before a quote": (b'1, "2"\n3,4\n', [Broken(STRAY, '1, "2"'), ("3", "4")]),
    "white space after a quote": (b'"1" ,2\n3,4\n', [Broken(AFTER, '"1" ,2'), ("3", "4")]),
    "white space after the last quote": (b'1,"2" \r\n3,4\r\n', [Broken(AFTER, '1,"2" '), ("3", "4")]),
    "text after a quote": (b'1,"2"x\n"1"x,2\n3,4\n', [Broken(AFTER, '1,"2"x'), Broken(AFTER, '"1"x,2'), ("3", "4")]),
    "a backslash escapes nothing": (b'1,"x\\"y"\n3,4\n', [Broken(AFTER, '1,"x\\"y"'), ("3", "4")]),
    "text after a quote, lines further": (b'1,"2\n\n"x\n3,4\n', [Broken(AFTER, '1,"2'), Broken(UNCLOSED, '"x'), ("3", "4")]),
    "invalid UTF-8": (b"1,\xff2\n3,4\n", [Broken(NOT_UTF8, "1,\\xff2"), ("3", "4")]),
    "Latin-1": (b"1,caf\xe9\r\n3,4\r\n", [Broken(NOT_UTF8, "1,caf\\xe9"), ("3", "4")]),
    "half a letter": (b"1,\xc3\n\xa9,4\n5,6\n", [Broken(NOT_UTF8, "1,\\xc3"), Broken(NOT_UTF8, "\\xa9,4"), ("5", "6")]),
    "an overlong byte sequence": (b"1,\xc0\xaf\n3,4\n", [Broken(NOT_UTF8, "1,\\xc0\\xaf"), ("3", "4")]),
    "half a surrogate pair": (b"1,\xed\xa0\x80\n3,4\n", [Broken(NOT_UTF8, "1,\\xed\\xa0\\x80"), ("3", "4")]),
    "a NUL": (b"1,a\0b\n3,4\n\0\n", [Broken(NUL, "1,a\0b"), ("3", "4"), Broken(NUL, "\0")]),
    "a NUL in quotes": (b'1,"\0"\n3,4\n', [Broken(NUL, '1,"\0"'), ("3", "4")]),
    "a NUL further down a record": (b'1,"x\n\0"\n3,4\n', [Broken("line: ", '1,"x'), Broken(NUL, '\0"'), ("3", "4")]),
    "invalid UTF-8 further down a record": (
        b'1,"x\n\xff"\n3,4\n',
        [Broken("line: ", '1,"x'), Broken(NOT_UTF8, '\\xff"'), ("3", "4")],
    ),
    "among records over lines": (b'1,"x\ny"\nbad\n3,"x\ny"\n', [("1", "x\ny"), Broken(FIELDS, "bad"), ("3", "x\ny")]),
    "a mark and no more": (b"1,2\n" + MARK + b"\n3,4\n", [("1", "2"), Broken(FIELDS, "\ufeff"), ("3", "4")]),
    "all lines broken": (b'x\ny"\n"z\n', [Broken(FIELDS, "x"), Broken(STRAY, 'y"'), Broken(UNCLOSED, '"z')]),
}  # fmt: skip


@pytest.mark.parametrize("block_bytes", [None, SMALL_BLOCK], ids=["one block", "small blocks"])
@pytest.mark.parametrize("content, expected", (WELL_FORMED | BROKEN).values(), ids=WELL_FORMED | BROKEN)
def test_every_record_and_every_broken_line_is_returned_once(read_file, content, expected, block_bytes):
    check(read_file("f.csv", b"a,b\n" + content, LAYOUT, block_bytes), expected)


def test_block_boundaries_do_not_change_the_result(read_file):
    """Every boundary, in a file with records and broken lines of many kinds."""
    content = 'a,b\r\n1,"x\n""y"\r\n\n2,"é\n3,4\n\n"5,\n6"\n7,8"\n9,😀'.encode() + b'\n\xff,1\n0,""\n'
    whole = read_file("f.csv", content, LAYOUT)
    assert (len(whole.rows), len(whole.broken)) == (4, 5)
    for block_bytes in range(1, len(content) + 1):
        assert read_file("f.csv", content, LAYOUT, block_bytes) == whole, block_bytes


def test_raw_rows_are_the_original_records(read_file):
    reading = read_file("f.csv", b'a,b\r\n "1",2\r\n3, 4 \r\n"5","x\r\n""y"\r\n', LAYOUT)
    assert reading.raw == {2: "3, 4 ", 3: '"5","x\r\n""y"'}
    assert reading.broken_raw == {1: ' "1",2'}


# Sizes


@pytest.mark.parametrize(("lines_in_all", "is_record"), [(99, True), (100, True), (101, False)])
@pytest.mark.parametrize("block_bytes", [None, 64])
def test_a_record_has_at_most_a_hundred_lines(read_file, lines_in_all, is_record, block_bytes):
    value = "x\n" * (lines_in_all - 1)
    reading = read_file("f.csv", f'a,b\n1,"{value}"\n3,4\n'.encode(), LAYOUT, block_bytes)
    if is_record:
        assert reading.rows == {1: ("1", value), 2: ("3", "4")}
    else:
        # The line with the opening quote, the lines after it, the line with the closing quote: each is a broken line.
        assert reading.rows == {lines_in_all + 1: ("3", "4")}
        assert len(reading.broken) == lines_in_all


@pytest.mark.parametrize("block_bytes", [None, 1 << 18], ids=["one block", "small blocks"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=repr)
@pytest.mark.parametrize("quote", [b"", b'"'], ids=["plain", "quoted"])
@pytest.mark.parametrize(("size", "is_record"), [(MIB, True), (MIB + 1, False)])
def test_a_line_has_at_most_one_mebibyte_without_its_line_end(read_file, size, is_record, quote, end, block_bytes):
    line = b"1," + quote + b"x" * (size - 2 - 2 * len(quote)) + quote
    assert len(line) == size
    content = b"a,b\n" + line + end + (b"3,4\n" if end else b"")
    reading = read_file("f.csv", content, LAYOUT, block_bytes)
    assert list(reading.rows) == [1] * is_record + [2] * bool(end)
    assert [TOO_LONG in reasons[0] for reasons in reading.broken.values()] == [True] * (not is_record)


def test_a_record_of_several_lines_has_at_most_one_mebibyte(read_file):
    for size, is_record in ((MIB, True), (MIB + 1, False)):
        record = b'1,"' + b"x" * 1000 + b"\n" + b"y" * (size - 1005) + b'"'
        assert len(record) == size
        reading = read_file("f.csv", b"a,b\n" + record + b"\n3,4\n", LAYOUT)
        assert list(reading.rows) == ([1, 2] if is_record else [3])
        assert list(reading.broken) == ([] if is_record else [1, 2])


@pytest.mark.parametrize("block_bytes", [None, MIB], ids=["one block", "small blocks"])
@pytest.mark.parametrize("after", [b"", b"\n3,4\n5,6"], ids=["at the end", "with lines after it"])
@pytest.mark.parametrize("filler, times", [(b"x", 10_000_000), (b'"', 10_000_000), (b",", 3 * MIB), (b"\xff", 3 * MIB)])
def test_a_line_of_megabytes_is_one_broken_record(read_file, filler, times, after, block_bytes):
    reading = read_file("f.csv", b"a,b\n1,2\ny" + filler * times + after, LAYOUT, block_bytes)
    assert reading.rows == {1: ("1", "2")} | ({3: ("3", "4"), 4: ("5", "6")} if after else {})
    assert list(reading.broken) == [2]
    assert reading.broken_raw[2].startswith("y")


def test_an_unclosed_quote_before_an_overlong_line_rejects_only_its_line(read_file):
    content = b'a,b\n1,"open\n3,4\n' + b"x" * (2 * MIB) + b'"\n5,6\n'
    for block_bytes in (None, 1 << 16):
        reading = read_file("f.csv", content, LAYOUT, block_bytes)
        assert reading.rows == {2: ("3", "4"), 4: ("5", "6")}
        assert list(reading.broken) == [1, 3]


# Headers

HEADERS = {
    "in another order": b"b,a\n2,1\n",
    "quoted": b'"a","b"\n1,2\n',
    "trimmed": b" a\t, b \n1,2\n",
    "trimmed within quotes": b'" a ","\tb"\n1,2\n',
    "trimmed, CRLF": b"a , b \r\n1,2\r\n",
    "after a byte-order mark": MARK + b"a,b\n1,2\n",
    "quoted after a byte-order mark": MARK + b'"a",b\r\n1,2\r\n',
    "after blank lines": b"\n \r\n\na,b\n1,2\n",
    "after a byte-order mark and a blank line": MARK + b"\na,b\n1,2\n",
    "with unknown columns": b"x,a,y,b,z\n0,1,0,2,0\n",
    "with an unknown column without a name": b"a,b,\n1,2,0\n",
    "with an unknown column in another case": b"A,a,b\n0,1,2\n",
    "after a line of commas": b",,,\n , \na,b\n1,2\n",
    "after the separator": b"sep=,\na,b\n1,2\n",
    "after the separator, with further commas": b"sep=,,,\r\na,b\n1,2\n",
    "after the separator in quotes": b'"sep=,",\na,b\n1,2\n',
    "with letters that another type of file begins with": b"ORCID,a,b\n0,1,2\n",
    "after a byte-order mark and the separator": MARK + b"sep=,\r\n,,\na,b\n1,2\n",
    "with empty columns without a name": b'a,,b,"", \n1,,2, ,\n,,,,\n',
    "with an index column without a name": b",a,b,\n0,1,2, \n",
    "with a name over two lines": b'a,"x\ny",b\n1,0,2\n',
}


@pytest.mark.parametrize("block_bytes", [None, SMALL_BLOCK], ids=["one block", "small blocks"])
@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_values_are_assigned_by_header_names(read_file, content, block_bytes):
    assert read_file("f.csv", content, LAYOUT, block_bytes).rows == {1: ("1", "2")}


def test_other_delimiters_and_encodings_are_options(tmp_path):
    (tmp_path / "f.csv").write_bytes(
        'sep=;\na;b\n1,5;"é;"\n;;\n €;\x81\n'.encode("cp1252", "replace").replace(b"?", b"\x81")
    )
    reading = read_whole(tmp_path / "f.csv", LAYOUT, FileFormat("csv", delimiter=";", encoding="cp1252"))
    assert reading.rows == {1: ("1,5", "é;")}
    assert reading.broken_raw == {2: " €;\\x81"}
    (tmp_path / "g.csv").write_bytes("a|b\n1|2\n".encode("utf-16"))
    assert read_whole(tmp_path / "g.csv", LAYOUT, FileFormat("csv", delimiter="|", encoding="utf-16")).rows == {
        1: ("1", "2")
    }
    for options in ({"delimiter": ";;"}, {"delimiter": '"'}, {"delimiter": "é"}, {"encoding": "utf-99"}):
        with pytest.raises(ValueError, match=r"delimiter|encoding"):
            FileFormat("csv", **options)


def test_all_columns_are_given_where_they_are_asked_for(tmp_path):
    (tmp_path / "f.csv").write_bytes(b"x,b,,y\n1,2,,4\n")
    (records,) = open_records(tmp_path / "f.csv", Layout(("b", "gone"), nested_as_json=True, all_columns=True))
    assert records.text.to_dicts() == [{"b": "2", "gone": None, "x": "1", "y": "4"}]
    assert records.present == {"b", "x", "y"}


def test_unknown_columns_are_reported_and_missing_ones_are_null(read_file):
    layout = Layout(("a", "b", "c", "d"), ("a", "b"))
    reading = read_file("f.csv", b"x,b,a,B\n0,2,1,0\n", layout)
    assert reading.rows == {1: ("1", "2", None, None)}
    assert reading.unknown_columns == {"x", "B"}
    assert read_file("f.csv", b"a,b\n1,2\n", layout).unknown_columns == set()
    assert read_file("f.csv", b'a,"x\ny",b\n1,0,2\n', layout).unknown_columns == {"x\ny"}


REFUSED = {
    "a required column missing": (b"a,c\n1,2\n", "b"),
    "a required column in another case": (b"a,B\n1,2\n", "b"),
    "a column twice": (b"a,b,a\n1,2,3\n", "a"),
    "a column twice once trimmed": (b"a,b, a\n1,2,3\n", "a"),
    "an unknown column twice": (b"a,b,x,x\n1,2,3,4\n", "x"),
    "semicolons": (
        b"a;b;c\n1;2;3\n",
        r"one column found, `a;b…`: separated by semicolons\? set `delimiter` in a source",
    ),
    "tabs": (b"a\tb\n1\t2\n", r"one column found, `a\\tb…`: separated by tabs"),
    "semicolons without a header": (b"44770;1\n", "one column found: separated by semicolons"),
    "a renamed column": (b"a,B of,utm\n1,2,3\n", "column missing: b; found, but not of this log: B of, utm$"),
    "two columns with values and without a name": (
        b"a,,b,\n1,,2,3\n1,4,2,\n",
        "columns 2 and 4 have values but no name",
    ),
    "the separator after a blank line": (b"\nsep=,\na,b\n1,2\n", "missing"),
    "another separator": (b"sep=;\na;b\n1;2\n", "separated by semicolons"),
    "no header": (b"1,2\n3,4\n", "a"),
    "an unclosed quote in the header": (b'a,"b\n1,2\n', "quote"),
    "a stray quote in the header": (b'a,b"\n1,2\n', "quote"),
    "text after a quote in the header": (b'"a"x,b\n1,2\n', "quote"),
    "invalid UTF-8 in the header": (b"a,b,\xff\n1,2,3\n", "UTF-8"),
    "a NUL in the header": (b"a,b,\0\n1,2,3\n", "UTF-8"),
    "UTF-16 with its mark": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "UTF-16, little end first": ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
    "UTF-16, big end first": ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "UTF-8"),
    "gzip within gzip": (gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0), "compressed twice"),
    "Parquet": (b"PAR1\x15\x04\x15\x10\x15\x14L\x15", "Parquet, not CSV"),
    "JSON lines": (b'{"a": 1, "b": 2}\n', "^JSON, not CSV as its name says; name it `.jsonl`$"),
    "a JSON array": (MARK + b'[\n  {\n "a": 1, "b": 2}]\n', "^JSON, not CSV"),
    "ORC": (b"ORC\n\x06\n\x04\x08\x02", "^ORC, not CSV"),
    "bzip2": (bz2.compress(b"a,b\n1,2\n"), "^bzip2, not CSV"),
    "quoted columns between semicolons": (
        b'"a";"b";"c"\n1;2;3\n',
        r"^one column found, `a;b…`: separated by semicolons\? set `delimiter` in a source$",
    ),
    "quoted columns between tabs": (b'"a"\t"b"\n1\t2\n', "separated by tabs"),
    "a web page": (b"<!DOCTYPE html>\n<html>\n", "column"),
    "a header of 2 MiB": (b"a,b," + b"x" * (2 * MIB) + b"\n1,2,3\n", "header"),
    "a header alone, without a required column": (b"a\n", "b"),
}


@pytest.mark.parametrize("block_bytes", [None, 1 << 19], ids=["one block", "small blocks"])
@pytest.mark.parametrize("content, says", REFUSED.values(), ids=REFUSED)
def test_a_file_with_an_invalid_header_is_refused_with_the_reason(read_file, content, says, block_bytes):
    with pytest.raises(RefusedFile, match=says):
        read_file("f.csv", content, LAYOUT, block_bytes)


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        MARK,
        b"\n",
        b"\r\n \n\n",
        MARK + b"\n",
        b"a,b",
        b"a,b\n",
        b"a,b\r\n",
        MARK + b'"a","b"\n',
        b"a,b\n\n \r\n\t\n",
    ],
    ids=repr,
)
def test_an_empty_file_and_a_header_without_rows_have_no_rows(read_file, name, content):
    for block_bytes in (None, 1, 2, 3):
        reading = read_file(name, gzip.compress(content) if name.endswith("gz") else content, LAYOUT, block_bytes)
        assert reading == FileReading()


# gzip

PLAIN = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * number) for number in range(3000))
ZIPPED = gzip.compress(PLAIN, mtime=0)


def test_a_gzip_file_with_several_members_is_read_completely(read_file):
    members = [PLAIN[start : start + 1000] for start in range(0, len(PLAIN), 1000)]
    content = b"".join(gzip.compress(member) for member in members) + gzip.compress(b"")
    assert read_file("f.csv.gz", content, LAYOUT) == read_file("f.csv", PLAIN, LAYOUT)
    assert read_file("f.csv.gz", content, LAYOUT, 100) == read_file("f.csv", PLAIN, LAYOUT)


def test_an_empty_gzip_file_has_no_rows(read_file):
    assert read_file("f.csv.gz", b"", LAYOUT) == FileReading()


DAMAGED = {
    "cut within its header": ZIPPED[:5],
    "cut after its header": ZIPPED[:10],
    "cut in the middle": ZIPPED[: len(ZIPPED) // 2],
    "cut before its checksum": ZIPPED[:-8],
    "cut within its checksum": ZIPPED[:-1],
    "a byte changed": ZIPPED[:2000] + bytes([ZIPPED[2000] ^ 255]) + ZIPPED[2001:],
    "another checksum": ZIPPED[:-8] + bytes(4) + ZIPPED[-4:],
    "another length": ZIPPED[:-4] + bytes(4),
    "rubbish after it": ZIPPED + b"rubbish",
    "a second member cut": ZIPPED + ZIPPED[:-8],
}


@pytest.mark.parametrize("block_bytes", [None, 1000], ids=["one block", "small blocks"])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_gzip_file_is_refused(read_file, content, block_bytes):
    with pytest.raises(RefusedFile, match="gzip"):
        read_file("f.csv.gz", content, LAYOUT, block_bytes)


# Random bytes

PIECES = st.sampled_from(
    [
        *(b'"', b'"', b",", b",", b"\n", b"\n", b"\r\n", b"\r", b'""', b'",', b',"', b'"\n', b"x", b"1,2", b"1,2\n"),
        *(b" ", b"\t", "é".encode(), b"\xc3", b"\xff", b"\0", MARK, b"'", b"\\"),
    ]
)
CONTENTS = st.one_of(st.lists(PIECES, max_size=25).map(b"".join), st.binary(max_size=40))
FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _without_cr(value: str | None) -> str | None:
    """A value without trailing CRs: the parser may drop them, and they are trimmed later in any case."""
    return (value or "").rstrip("\r") or None


def same_as_the_oracle(reading: FileReading, expected: oracle.Reading) -> None:
    assert reading.count == len(expected.records)
    whole = [record for record in expected.records if not record.broken]
    broken = [record for record in expected.records if record.broken]
    assert {number: tuple(map(_without_cr, row)) for number, row in reading.rows.items()} == {
        record.number: (_without_cr(record.cells.get("a")), _without_cr(record.cells.get("b"))) for record in whole
    }
    assert reading.raw == {record.number: record.raw for record in whole}
    assert reading.broken_raw == {record.number: record.raw for record in broken}


@FUZZ
@given(
    content=CONTENTS, mark=st.sampled_from([b"", MARK]), end=st.sampled_from([b"\n", b"\r\n"]), block=st.integers(1, 40)
)
@example(content=b'1,"x\n2,y",z\n3,4', mark=b"", end=b"\n", block=7)
@example(content=MARK + b"1,2\n" + MARK + b"3,4", mark=MARK, end=b"\n", block=7)
@example(content=b"\r,", mark=b"", end=b"\n", block=1)
@example(content=b"1,2\n3", mark=b"", end=b"\n", block=40)
def test_random_lines_are_read_like_the_oracle(read_file, content, mark, end, block):
    content = mark + b'a,"b"' + end + content
    expected = oracle.read_csv(content)
    for block_bytes in (None, block):
        same_as_the_oracle(read_file("f.csv", content, LAYOUT, block_bytes), expected)


START = st.sampled_from(
    [
        *(b"a,b\n", b"\n \r\n b,a\r\n", b'"a",x,b\n', b'a,"x\n\ny",b\n', b"a,b,", b'a,"b', b"a,b\0\n", b"a,", b""),
        *(b"sep=,\n,\na,b\n", b"a,,b,\n1,,2,\n"),
    ]
)


@FUZZ
@given(start=START, content=CONTENTS)
def test_random_files_are_read_or_refused_like_the_oracle(read_file, start, content):
    content = start + content
    try:
        expected = oracle.read_csv(content)
        names = expected.columns
        if names is not None and not (len(set(names)) == len(names) and {"a", "b"} <= set(names)):
            raise oracle.Refused("a column twice or missing")
    except oracle.Refused:
        with pytest.raises(RefusedFile):
            read_file("f.csv", content, LAYOUT)
    else:
        same_as_the_oracle(read_file("f.csv", content, LAYOUT), expected)


@FUZZ
@given(
    content=st.lists(PIECES.filter(lambda piece: b"\r" not in piece), max_size=60).map(b"".join),
    block=st.integers(1, 40),
)
def test_overlong_lines_and_records_are_detected_at_any_block_boundary(read_file, content, block):
    """The limits are lowered to 24 bytes and 4 lines, so that random content often exceeds them."""
    content = b"a,b\n" + content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MAX_RECORD_BYTES", 24)
        patch.setattr(csv_files, "MAX_RECORD_BYTES", 24)
        patch.setattr(csv_files, "MAX_RECORD_LINES", 4)
        patch.setattr(oracle, "MOST_BYTES", 24)
        patch.setattr(oracle, "MOST_LINES", 4)
        expected = oracle.read_csv(content)
        for block_bytes in (None, block):
            reading = read_file("f.csv", content, LAYOUT, block_bytes)
            # Only the beginning of an overlong line is kept.
            for record in expected.records:
                if record.broken and len(record.raw) > 24:
                    assert reading.broken_raw.pop(record.number)[:1] == record.raw[:1]
                    record.raw = ""
            expected_broken = [record for record in expected.records if record.broken and record.raw]
            assert reading.broken_raw == {record.number: record.raw for record in expected_broken}
            assert reading.rows.keys() == {record.number for record in expected.records if not record.broken}


def test_a_long_file_of_mixed_lines_is_read_like_the_oracle(read_file):
    rng = random.Random(0)
    kinds = [
        b"1,2\n",
        b"3,4\r\n",
        b'"5","6"\n',
        b'7,"8\n9"\n',
        b"bad\n",
        b'1,"open\n',
        b"\n",
        b"\xff,1\n",
        b'"x""y",\r\n',
    ]
    content = b"a,b\n" + b"".join(rng.choices(kinds, weights=[20, 5, 5, 3, 1, 1, 1, 1, 2], k=3000))
    expected = oracle.read_csv(content)
    for block_bytes in (None, 1000):
        same_as_the_oracle(read_file("f.csv", content, LAYOUT, block_bytes), expected)
