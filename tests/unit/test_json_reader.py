"""The JSON Lines reader: the texts, broken lines and unreadable values that it returns.

Not here: the rules for values (`test_text_types`, `test_admission`), damaged gzip files, which the common line reader refuses
(`test_csv_reader`).
"""

import gzip
import json
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.oracle import records as oracle
from tests.unit.conftest import SMALL_BLOCK, FileReading, read_whole
from warehouse.ingest.readers import content as reader_content
from warehouse.ingest.readers import json_files, open_records
from warehouse.ingest.readers.records import FileFormat, Layout, RefusedFile

LAYOUT = Layout(("a", "b"), ("a", "b"))
MIB = 1 << 20
MARK = b"\xef\xbb\xbf"
NOT_AN_OBJECT, NOT_UTF8, NUL, TOO_LONG = "not a JSON object", "not valid UTF-8", "NUL", "longer than 1 MiB"

VALUES = {
    "text": (b'"x"', "x"),
    "an empty text": (b'""', None),
    "null": (b"null", None),
    "text with escapes": (b'"\\"\\\\\\/\\n\\t\\u00e9\\ud83d\\ude00"', '"\\/\n\té😀'),
    "text of many bytes": ('"é日本😀"'.encode(), "é日本😀"),
    "text that looks like another kind": (b'"true"', "true"),
    "a number in quotes": (b'"1.50"', "1.50"),
    "an integer": (b"7", "7"),
    "a negative integer": (b"-7", "-7"),
    "minus zero": (b"-0", "-0"),
    "zeros at the end": (b"1.50", "1.50"),
    "an integral number with a point": (b"2.0", "2.0"),
    "more digits than a double holds": (b"0.1234567890123456789012345", "0.1234567890123456789012345"),
    "an exponent": (b"1e3", "1e3"),
    "an exponent, upper case, signed": (b"1.5E+3", "1.5E+3"),
    "beyond a double": (b"1e400", "1e400"),
    "an integer of many digits": (b"9" * 5000, "9" * 5000),
}


@pytest.mark.parametrize("literal, text", VALUES.values(), ids=VALUES)
def test_a_value_is_the_text_of_its_literal(read_file, literal, text):
    reading = read_file("f.jsonl", b'{"a": ' + literal + b', "b": "y"}\n', LAYOUT)
    assert reading.rows == {1: (text, "y")}
    assert reading.faults == set()


@pytest.mark.parametrize(
    "literal, kind",
    [
        *((b"true", "boolean"), (b"false", "boolean"), (b"[]", "array"), (b"[1]", "array"), (b'["x"]', "array")),
        *((b"{}", "object"), (b'{"x": 1}', "object"), (b"[[[]]]", "array"), (b'{"a": {"a": {}}}', "object")),
    ],
)
def test_a_value_that_is_neither_text_nor_number_is_unreadable(read_file, literal, kind):
    content = b'{"a": "1", "b": "2"}\n{"a": "3", "b": ' + literal + b"}\n"
    reading = read_file("f.jsonl", content, LAYOUT)
    assert reading.rows == {1: ("1", "2"), 2: ("3", None)}
    ((number, column, rule),) = reading.faults
    assert (number, column) == (2, "b")
    assert kind in rule


@pytest.mark.parametrize("literal", [b"true", b"[1, [2]]", b'{"x": {"y": null}}', b"1e3", b"null", b'"x"'])
def test_unknown_keys_of_any_type_are_reported(read_file, literal):
    reading = read_file("f.jsonl", b'{"x": ' + literal + b', "b": "2", "A": 1, "a": "1"}\n{"a": 3, "y": 0}', LAYOUT)
    assert reading.rows == {1: ("1", "2"), 2: ("3", None)}
    assert reading.faults == set()
    assert reading.unknown_columns == {"x", "A", "y"}


@pytest.mark.parametrize(
    "content, twice",
    [
        (b'{"a": "1", "b": "2", "a": "1"}', {"a"}),
        (b'{"a": "1", "b": "2", "a": null}', {"a"}),
        (b'{"a": null, "a": "1", "b": "2"}', {"a"}),
        (b'{"a": "1", "b": "2", "\\u0061": "1"}', {"a"}),
        (b'{"b": "1", "a": 1, "a": 1, "a": 1, "b": "2"}', {"a", "b"}),
        (b'{"a": "1", "b": "2", "x": 1, "x": 1}', {"x"}),
    ],
    ids=["the same value", "then null", "null first", "by an escape", "two keys", "an unknown key"],
)
def test_a_repeated_key_is_reported_by_name(read_file, content, twice):
    reading = read_file("f.jsonl", b'{"a": "0"}\n' + content + b"\n", LAYOUT)
    assert sorted(reading.rows) == [1, 2]
    assert {(number, column) for number, column, _ in reading.faults} == {(2, column) for column in twice}
    assert all("twice" in rule for _, _, rule in reading.faults)


WELL_FORMED = {
    "no line break at the end": b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}',
    "CRLF": b'{"a": 1, "b": 2}\r\n{"a": 3, "b": 4}\r\n',
    "mixed line ends": b'{"a": 1, "b": 2}\r\n{"a": 3, "b": 4}\n',
    "a byte-order mark": MARK + b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n',
    "blank lines": b'\n \t\r\n{"a": 1, "b": 2}\n\n\x0b\x0c\n\r\n{"a": 3, "b": 4}\n\n',
    "white space": b' { "a" :\t1 , "b":2 }\t\n\t{"a": 3, "b": 4} \r\n',
    "keys in any order": b'{"b": 2, "a": 1}\n{"b": 4, "a": 3}\n',
}


@pytest.mark.parametrize("block_bytes", [None, SMALL_BLOCK], ids=["one block", "small blocks"])
@pytest.mark.parametrize("content", WELL_FORMED.values(), ids=WELL_FORMED)
def test_every_line_except_blank_ones_is_a_record(read_file, content, block_bytes):
    assert read_file("f.jsonl", content, LAYOUT, block_bytes).rows == {1: ("1", "2"), 2: ("3", "4")}


def test_a_missing_key_is_null_and_no_column_is_required(read_file):
    assert read_file("f.jsonl", b'{"b": 2}\n{}\n{"a": 1}\n', LAYOUT).rows == {
        1: (None, "2"),
        2: (None, None),
        3: ("1", None),
    }


BROKEN = {
    "words": (b"not json", NOT_AN_OBJECT),
    "null": (b"null", NOT_AN_OBJECT),
    "a number": (b"7", NOT_AN_OBJECT),
    "text": (b'"x"', NOT_AN_OBJECT),
    "a boolean": (b"true", NOT_AN_OBJECT),
    "an array": (b"[]", NOT_AN_OBJECT),
    "an array of objects": (b'[{"a": 1, "b": 2}]', NOT_AN_OBJECT),
    "an object cut off": (b'{"a": 1, "b": ', NOT_AN_OBJECT),
    "an object cut off within text": (b'{"a": 1, "b": "x', NOT_AN_OBJECT),
    "a comma too many": (b'{"a": 1,}', NOT_AN_OBJECT),
    "single quotes": (b"{'a': 1}", NOT_AN_OBJECT),
    "keys without quotes": (b"{a: 1}", NOT_AN_OBJECT),
    "NaN": (b'{"a": NaN}', NOT_AN_OBJECT),
    "infinity": (b'{"a": Infinity}', NOT_AN_OBJECT),
    "minus infinity": (b'{"a": -Infinity}', NOT_AN_OBJECT),
    "NaN in an unknown key": (b'{"x": [NaN]}', NOT_AN_OBJECT),
    "a leading zero": (b'{"a": 01}', NOT_AN_OBJECT),
    "a plus": (b'{"a": +1}', NOT_AN_OBJECT),
    "nothing before the point": (b'{"a": .5}', NOT_AN_OBJECT),
    "nothing after the point": (b'{"a": 1.}', NOT_AN_OBJECT),
    "digits of another script": ('{"a": ٣}'.encode(), NOT_AN_OBJECT),
    "a raw tab in text": (b'{"a": "x\ty"}', NOT_AN_OBJECT),
    "an unknown escape": (b'{"a": "\\x41"}', NOT_AN_OBJECT),
    "white space that JSON does not know": ('{"a":\u00a01}'.encode(), NOT_AN_OBJECT),
    "a vertical tab before it": (b'\x0b{"a": 1}', NOT_AN_OBJECT),
    "a mark that is not at the start of the file": (MARK + b'{"a": 1}', NOT_AN_OBJECT),
    "arrays without end": (b'{"x": ' + b"[" * 100_000, NOT_AN_OBJECT),
    "CSV": (b"1,2", NOT_AN_OBJECT),
    "invalid UTF-8": (b'{"a": "\xff"}', NOT_UTF8),
    "Latin-1": (b'{"a": "caf\xe9"}', NOT_UTF8),
    "a surrogate in bytes": (b'{"a": "\xed\xa0\x80"}', NOT_UTF8),
    "half a surrogate pair": (b'{"a": "\\ud800"}', NOT_UTF8),
    "the other half": (b'{"a": "x\\uDFFFx"}', NOT_UTF8),
    "half a surrogate pair in a key": (b'{"\\ud800": 1}', NOT_UTF8),
    "half a surrogate pair in an unknown key": (b'{"a": 1, "x": ["\\ud800"]}', NOT_UTF8),
    "a NUL": (b'{"a": "x\0"}', NUL),
    "nothing but a NUL": (b"\0", NUL),
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=repr)
@pytest.mark.parametrize("line, why", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_kept_unchanged_and_its_neighbours_load(read_file, line, why, end):
    content = end.join([b'{"a": 1, "b": 2}', line, b'{"a": 3, "b": 4}', line, b""])
    reading = read_file("f.jsonl", content, LAYOUT)
    assert reading.rows == {1: ("1", "2"), 3: ("3", "4")}
    assert sorted(reading.broken) == [2, 4]
    for number, reasons in reading.broken.items():
        assert len(reasons) == 1
        assert reasons[0].startswith("line: ")
        assert why in reasons[0]
        assert reading.broken_raw[number] == line.decode(errors="backslashreplace")


def test_a_utf_16_file_is_refused_without_the_option_that_reads_it(read_file, tmp_path):
    content = '{"a": "é"}\n{"a": 2}\n'.encode("utf-16")
    with pytest.raises(RefusedFile, match=r"UTF-16, must be UTF-8; .* `encoding: utf-16`"):
        read_file("f.jsonl", content, LAYOUT)
    reading = read_whole(tmp_path / "f.jsonl", LAYOUT, FileFormat("json", encoding="utf-16"))
    assert reading.rows == {1: ("é", None), 2: ("2", None)}


FORMS = {
    "without white space": (b'{"a": 1}{"a": 2}{"a": 3}', [1, 2, 3], {}),
    "several on a line": (b'{"a": 1} {"a": 2}\n{"a": 3}\t{"a": 4}\r\n', [1, 2, 3, 4], {}),
    "over several lines": (b'{\n  "a": 1\n}\n{\r\n  "a":\r\n 2\r\n}\r\n\n{"a": 3}', [1, 2, 3], {}),
    "an array on a line": (b'[{"a": 1}, {"a": 2},{"a": 3}]', [1, 2, 3], {}),
    "an array over lines": (MARK + b' \n[\n{"a": 1},\n{"a": 2\n},{"a": 3}\n]\n', [1, 2, 3], {}),
    "an empty array": (b" [ ] \n", [], {}),
    "objects after an array": (b'[{"a": 1}]{"a": 2}\n{"a": 3}', [1, 2, 3], {}),
    "an array after an array": (b'[{"a": 1}][{"a": 2}]\n{"a": 3}', [1, 3], {2: '[{"a": 2}]'}),
    "an array that is not the beginning": (b'{"a": 1}\n[{"a": 2}]\n{"a": 3}', [1, 3], {2: '[{"a": 2}]'}),
    "elements that are no objects": (
        b'[7, {"a": 1}, "x", null, [{"a": 2}], {"a": 3}]',
        [2, 6],
        {1: "7", 3: '"x"', 4: "null", 5: '[{"a": 2}]'},
    ),
    "a broken element": (b'[{"a": 1},\n{"a": },\n{"a": 3}\n]', [1, 3], {2: '{"a": },'}),
    "a comma after a broken element": (b'[{"a": 1},\n{"a": }\n,{"a": 3}\n]', [1, 3], {2: '{"a": }'}),
    "the end after a broken element": (b'[{"a": 1},\n{"a": }\n]', [1], {2: '{"a": }'}),
    "text after an object": (b'{"a": 1} x {"a": 2}\n{"a": 3}', [1, 3], {2: 'x {"a": 2}'}),
    "a comma between objects": (b'{"a": 1},\n{"a": 2}', [1, 3], {2: ","}),
    "an object that is cut": (b'{"a": 1}{"a": 2\n{"a": 3}{"a": ', [1, 3], {2: '{"a": 2', 4: '{"a": '}),
    "an object of lines that is cut": (b'{\n"a": 1,\n{"a": 3}', [3], {1: "{", 2: '"a": 1,'}),
    "a NUL after an object": (b'{"a": 1}\0\n{"a": 2}', [1, 3], {2: "\0"}),
    "braces and quotes in text": (b'{"a": "}{]["}{"a": "\\"}"}', [1, 2], {}),
}


@pytest.mark.parametrize("block_bytes", [None, SMALL_BLOCK], ids=["one block", "small blocks"])
@pytest.mark.parametrize("name", ["f.json", "f.ndjson.gz"])
@pytest.mark.parametrize(("content", "numbers", "broken"), FORMS.values(), ids=FORMS)
def test_objects_in_any_form_are_records(read_file, content, numbers, broken, name, block_bytes):
    reading = read_file(name, content, LAYOUT, block_bytes)
    assert list(reading.rows) == numbers
    assert reading.broken_raw == broken


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}', b'[{"a": 1},', b'[{"a": 1}, x]\n{"a": 2}', b"[", b'[\n{"a": 1},\n{"a": ']
)
def test_an_array_without_its_end_is_truncated(read_file, content):
    for block_bytes in (None, SMALL_BLOCK):
        with pytest.raises(RefusedFile, match="truncated"):
            read_file("f.json", content, LAYOUT, block_bytes)


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b'[{"a": 1},{"a":,}]', 2),
        (b'[{"a": 1},{"a": NaN},{"a": 2}]\n', 2),
        (b'[{"a": 1},\n{"a": NaN},{"a": 2}] \r\n', 2),
        (b'[{"a": NaN},' + b'{"a": 1},' * 5_000 + b'{"a": 1}]', 1),
    ],
    ids=["a missing value", "NaN", "after another line", "a long line"],
)
def test_an_array_whose_end_is_in_a_broken_line_is_refused_by_the_record_that_breaks_it(read_file, content, number):
    for block_bytes in (None, 7):
        with pytest.raises(RefusedFile, match=f"^record {number} of the array is not valid JSON"):
            read_file("f.json", content, LAYOUT, block_bytes)


def test_a_record_that_breaks_a_page_is_named(tmp_path):
    (tmp_path / "f.json").write_bytes(b'{"results": [{"a": 1}, {"a": NaN}], "more": 1}\n')
    with pytest.raises(RefusedFile, match=r"^record 2 of the array is not valid JSON"):
        read_whole(tmp_path / "f.json", LAYOUT, FileFormat("json", records="results"))


@pytest.mark.parametrize("line", [b'{"a":\n', b'[{"a":[1,\n', b"[\n"])
def test_a_file_of_objects_that_do_not_end_is_refused_before_each_is_decoded_to_the_end(read_file, line):
    """Each line begins an object within that of the line before: decoded from each one to where it fails, 1 MB took minutes."""
    with pytest.raises(RefusedFile, match="too many objects are not closed"):
        read_file("f.json", line * ((1 << 20) // len(line)), LAYOUT)


def test_objects_that_do_not_end_are_broken_lines_up_to_thousands(read_file):
    reading = read_file("f.json", b'{"a":\n' * 200 + b'{"a": 1}\n' + b'{"a": 2,\n' * 50_000 + b'{"a": 3}', LAYOUT)
    assert list(reading.rows) == [201, 50_202]


def test_a_line_of_any_length_holds_records_of_at_most_a_mebibyte(read_file):
    long = b'{"a": "%s"}' % (b"x" * (MIB - 9))
    content = long * 5 + b'{"a": "%s"}' % (b"x" * (MIB - 8)) + b'{"a": 1}\n{"a": 2}' + b" " * (2 * MIB) + b'{"a": 3}'
    for block_bytes in (None, MIB // 3):
        reading = read_file("f.json", content, LAYOUT, block_bytes)
        assert list(reading.rows) == [1, 2, 3, 4, 5, 7, 8]
        assert [TOO_LONG in reasons[0] for reasons in reading.broken.values()] == [True]


def test_many_objects_on_a_line_are_read_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(reader_content, "BLOCK_LINES", 100)
    (tmp_path / "f.json").write_bytes(b'{"a": 1}' * 1_000)
    assert [records.count for records in open_records(tmp_path / "f.json", LAYOUT)] == [100] * 10


PAGES = {
    "one": (b'{"results": [{"a": 1}, {"a": 2}], "more": {"x": [1]}}', [1, 2], {}),
    "several, laid out": (
        b' {"n": 2,\n "results": [\n{"a": 1},\n{"a": 2}\n]\n}\n{"results": []}{"re\\u0073ults" : [{"a": 3}]}',
        [1, 2, 3], {},
    ),
    "an element that is no object": (b'{"results": [7, {"a": 2}]}', [2], {1: "7"}),
    "nothing": (b" \n", [], {}),
}  # fmt: skip


@pytest.mark.parametrize(("content", "numbers", "broken"), PAGES.values(), ids=PAGES)
def test_records_may_stand_in_an_array_of_each_object(tmp_path, monkeypatch, content, numbers, broken):
    (tmp_path / "f.json").write_bytes(content)
    for block_bytes in (1 << 20, SMALL_BLOCK):
        monkeypatch.setattr(reader_content, "BLOCK_BYTES", block_bytes)
        reading = read_whole(tmp_path / "f.json", LAYOUT, FileFormat("json", records="results"))
        assert {number: row[0] for number, row in reading.rows.items()} == {number: str(number) for number in numbers}
        assert reading.broken_raw == broken


@pytest.mark.parametrize(
    ("content", "says"),
    [
        *((b'[{"results": []}]', "not JSON objects with an array `results`"), (b'{"a": 1}', "no array `results`")),
        *(
            (b'{"results": null}', "no array"),
            (b'{"results": [], "results": []}', "twice"),
            (b'{"x": 1 2}', "around the array"),
        ),
        *(
            (b'{"results": [{"a": 1}', "truncated"),
            (b'{"results": [{"a": 1}]', "truncated"),
            (b'{"x": "', "around the array"),
        ),
    ],
)
def test_objects_without_the_array_of_the_records_are_refused(tmp_path, content, says):
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(RefusedFile, match=says):
        read_whole(tmp_path / "f.json", LAYOUT, FileFormat("json", records="results"))


def test_raw_fields_keep_their_json(read_file, tmp_path):
    line = '{"a": 1.50, "n": {"x": [1.0, true, null, "é\\n", 1], "x": 2e3}, "b": false, "s": "t", "z": null}'
    (tmp_path / "f.json").write_text(line + line.replace('"s"', '"t"'))
    (records,) = open_records(tmp_path / "f.json", Layout(("b", "gone"), nested_as_json=True, all_columns=True))
    nested = '{"x":["1.0",true,null,"é\\n",1],"x":"2e3"}'
    assert records.text.to_dicts() == [
        {"b": "false", "gone": None, "a": "1.50", "n": nested, "s": "t", "t": None, "z": None},
        {"b": "false", "gone": None, "a": "1.50", "n": nested, "s": None, "t": "t", "z": None},
    ]
    assert records.present == {"a", "b", "n", "s", "t", "z"}
    (named,) = open_records(tmp_path / "f.json", Layout(("n", "gone"), nested_as_json=True))
    assert named.text.to_dicts() == [{"n": nested, "gone": None}] * 2
    assert (named.present, named.unknown_columns) == ({"n"}, {"a", "b", "s", "t", "z"})


@pytest.mark.parametrize("depth", [200, 450, 600, 800, 950, 990, 2000])
@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"x": ', b"}")], ids=["arrays", "objects"])
@pytest.mark.parametrize("text", [b'"x"', b'"\\u0041"'], ids=["plain", "with an escape"])
def test_a_deeply_nested_line_rejects_only_itself(read_file, text, opening, closing, depth):
    """The line may be read or be too deep to be read, but the load must go on."""
    line = b'{"a": ' + text + b', "x": ' + opening * depth + b"1" + closing * depth + b"}"
    reading = read_file("f.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 3}\n', LAYOUT)
    assert reading.count == 3
    assert {1, 3} <= reading.rows.keys()


def test_a_line_with_thousands_of_repeated_keys_is_read(read_file):
    """About 0.2 MB, which would take seconds (1 MiB minutes) if each key were compared with all others."""
    keys = [f'"k{number}":1' for number in range(20_000)]
    started = time.process_time()
    reading = read_file("f.jsonl", ("{" + ",".join([*keys, '"k1":1', '"a":1']) + "}").encode(), LAYOUT)
    assert {column for _, column, _ in reading.faults} == {"k1"}
    assert time.process_time() - started < 1


def test_raw_rows_are_the_original_lines(read_file):
    reading = read_file("f.jsonl", b' {"a": 1.50}\t\r\n\r\n{"b":"\\u0041"}', LAYOUT)
    assert reading.raw == {1: '{"a": 1.50}', 2: '{"b":"\\u0041"}'}


@pytest.mark.parametrize("name", ["f.jsonl", "f.jsonl.gz"])
@pytest.mark.parametrize("content", [b"", MARK, b"\n", b"\r\n \n\n", MARK + b"\n\n"], ids=repr)
def test_an_empty_file_has_no_rows(read_file, name, content):
    for block_bytes in (None, 1, 2):
        reading = read_file(name, gzip.compress(content) if name.endswith("gz") else content, LAYOUT, block_bytes)
        assert reading == FileReading()


def test_gzip_files_are_read_and_damaged_ones_refused(read_file):
    plain = b'{"a": 1, "b": 2}\n' * 1000
    zipped = gzip.compress(plain[:5000]) + gzip.compress(plain[5000:])
    assert read_file("f.jsonl.gz", zipped, LAYOUT, 100) == read_file("f.jsonl", plain, LAYOUT)
    for damaged in (zipped[:-1], zipped[:-8] + bytes(4) + zipped[-4:]):
        with pytest.raises(RefusedFile, match="gzip"):
            read_file("f.jsonl.gz", damaged, LAYOUT)


# Sizes


@pytest.mark.parametrize("block_bytes", [None, 1 << 18], ids=["one block", "small blocks"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=repr)
@pytest.mark.parametrize(("size", "is_record"), [(MIB, True), (MIB + 1, False)])
def test_a_line_has_at_most_one_mebibyte_without_its_line_end(read_file, size, is_record, end, block_bytes):
    line = b'{"a": "%s"}' % (b"x" * (size - 9))
    assert len(line) == size
    reading = read_file("f.jsonl", line + end + (b'{"a": 2}' if end else b""), LAYOUT, block_bytes)
    assert list(reading.rows) == [1] * is_record + [2] * bool(end)
    assert [TOO_LONG in reasons[0] for reasons in reading.broken.values()] == [True] * (not is_record)


@pytest.mark.parametrize("block_bytes", [None, MIB], ids=["one block", "small blocks"])
@pytest.mark.parametrize("after", [b"", b'\n{"a": 3}\n{"a": 4}'], ids=["at the end", "with lines after it"])
def test_a_line_of_ten_megabytes_is_one_broken_record(read_file, after, block_bytes):
    content = b'{"a": 1}\n{"a": "' + b"x" * 10_000_000 + b'"}' + after
    reading = read_file("f.jsonl", content, LAYOUT, block_bytes)
    assert list(reading.rows) == [1, 3, 4] if after else [1]
    assert list(reading.broken) == [2]
    assert TOO_LONG in reading.broken[2][0]
    assert reading.broken_raw[2].startswith('{"a": "xxx')


def test_block_boundaries_do_not_change_the_result(read_file):
    content = '{"a": "é"}\r\n\n{"a": 1, "a": 2}\nbad\n{"b": [1]}\n😀\n'.encode() + b'\xff\n{"a": "\\ud800"}\n{"x": 1}'
    whole = read_file("f.jsonl", content, LAYOUT)
    assert (len(whole.rows), len(whole.broken)) == (4, 4)
    for block_bytes in range(1, len(content) + 1):
        assert read_file("f.jsonl", content, LAYOUT, block_bytes) == whole, block_bytes


# Random bytes

LITERALS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["\ud800", "\x00", "1.50", ""])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abx"), inner, max_size=2)),
    max_leaves=4,
)
PAIRS = st.builds('"{}": {}'.format, st.sampled_from("aabbx"), LITERALS.map(json.dumps))
OBJECTS = st.lists(PAIRS, max_size=4).map(lambda pairs: ("{" + ", ".join(pairs) + "}").encode())
PIECES = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b'"',
            b":",
            b",",
            b'"a"',
            b'"b": ',
            b"1",
            b"null",
            b"NaN",
            b"[",
            b"]",
            b"\n",
            b"\n",
            b"\r\n",
            b"\r",
        ),
        *(
            b" ",
            b"\t",
            b"\\",
            b"\\u00",
            b"\xff",
            b"\0",
            "é".encode(),
            MARK,
            b'{"a": 1}',
            b'{"a": 1}\n',
            b'{"b": "x"}\r\n',
        ),
    ]
)
ARRAYS = st.lists(OBJECTS, max_size=3).map(lambda objects: b"[" + b",".join(objects) + b"]")
LAID_OUT = OBJECTS.map(lambda text: text.replace(b", ", b",\n "))
ODD_TEXT = st.lists(PIECES, max_size=6).map(b"".join)
LINES = st.one_of(ARRAYS, LAID_OUT, OBJECTS, OBJECTS, ODD_TEXT, st.binary(max_size=8))
ENDS = st.sampled_from([b"", b",\n", b" ", b"\n", b"\r\n", b"\n\n", b"\r\n \n"])
CONTENTS = st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=8).map(b"".join)
FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _expected(content: bytes) -> list[oracle.Record] | None:
    """None if the file is refused."""
    try:
        return oracle.read_json(content).records
    except oracle.Refused:
        return None


@FUZZ
@given(
    content=CONTENTS,
    mark=st.sampled_from([b"", MARK, MARK + b" [", b"[\n", b"["]),
    end=st.sampled_from([b"", b'{"a": "1"', b'{"a": "1"}', b"]", b"\n]", b'\n] {"a": 1}']),
    block=st.integers(1, 40),
)
def test_random_lines_are_read_like_the_oracle(read_file, content, mark, end, block):
    content = mark + content + end
    expected = _expected(content)
    if expected is None:
        for block_bytes in (None, block):
            with pytest.raises(RefusedFile, match="truncated"):
                read_file("f.jsonl", content, LAYOUT, block_bytes)
        return
    whole = [record for record in expected if not record.broken]
    for block_bytes in (None, block):
        reading = read_file("f.jsonl", content, LAYOUT, block_bytes)
        assert reading.count == len(expected)
        assert reading.raw == {record.number: record.raw for record in whole}
        assert reading.broken_raw == {record.number: record.raw for record in expected if record.broken}
        at_fault = {(record.number, key) for record in whole for key in record.repeated_keys}
        for record in whole:
            for column, value in zip("ab", reading.rows[record.number], strict=True):
                cell = record.cells.get(column)
                if isinstance(cell, oracle.Unfit):
                    at_fault.add((record.number, column))
                elif column not in record.repeated_keys:
                    assert value == (cell or None)
        assert {(number, column) for number, column, _ in reading.faults} == at_fault


@FUZZ
@given(
    content=st.lists(PIECES.filter(lambda piece: b"\r" not in piece), max_size=50).map(b"".join),
    block=st.integers(1, 40),
)
def test_overlong_lines_are_detected_at_any_block_boundary(read_file, content, block):
    """The limit is lowered to 12 bytes, so that random lines often exceed it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_files, "MAX_RECORD_BYTES", 12)
        patch.setattr(oracle, "MOST_BYTES", 12)
        expected = _expected(content)
        assume(expected is not None)
        for block_bytes in (None, block):
            reading = read_file("f.jsonl", content, LAYOUT, block_bytes)
            assert reading.rows.keys() == {record.number for record in expected if not record.broken}
            assert reading.broken.keys() == {record.number for record in expected if record.broken}
