"""Mappings, evaluated on the records of one file: values, and the records on which an expression fails.

Not here: the check of expressions and the functions of ours (`test_source_expressions`), loads (`test_sources`).
"""

from datetime import date

import pytest

from models.enums import Log
from models.source_mapping import Source, SourceMapping
from warehouse.ingest.readers.records import RefusedFile
from warehouse.ingest.rows import rows_of
from warehouse.ingest.sources import mapper

NAME = "raw/2026-01-05"


@pytest.fixture
def map_file(tmp_path):
    """Maps a file to unsubscribes: gives the rows by number, and the reasons of the records that failed."""

    def map_file(content, *, columns=(), where=None, kind="csv", **options):
        mapped = {"contact_id": "a", "unsubscribed_at": "'2026-01-05T10:00:00Z'"} | dict(columns)
        mapping = SourceMapping.model_validate(
            {
                "source": "raw", "description": "Raw records", "files": "raw/{date}*",
                "format": {"type": kind} | options,
                "logs": {"unsubscribes": {"columns": mapped} | ({"where": where} if where else {})},
            }
        )  # fmt: skip
        file = tmp_path / "file"
        file.write_text(content, encoding="utf-8")
        source = Source(f"raw {content} {mapping}", "", mapping)  # mappers are kept by name
        rows, reasons = {}, {}
        for records in rows_of(file, Log.UNSUBSCRIBES, source, NAME, date(2026, 1, 5)):
            numbers = records.row_numbers.to_list()
            for fault in records.faults:
                reasons.setdefault(numbers[fault.index], []).append(f"{fault.column}: {fault.rule}")
            reasons |= {broken.row_number: list(broken.reasons) for broken in records.broken}
            rows |= dict(zip(numbers, records.text.to_dicts(), strict=True))
        return {number: row for number, row in rows.items() if number not in reasons}, reasons

    return map_file


@pytest.mark.parametrize(
    "literal",
    [
        "12345678901234.5678",
        "9007199254740993.0",
        "9007199254740993",
        "123456789012345678901234567890",
        "1.50",
        "7.5e-05",
        "1e400",
    ],
)
@pytest.mark.parametrize(
    ("value", "expression"),
    [("NUMBER", "n"), ('{"x": NUMBER}', "n ->> '$.x'"), ('[{"x": [NUMBER]}]', "n ->> '$[0].x[0]'")],
)
def test_a_number_in_json_keeps_its_literal_at_any_depth(map_file, literal, value, expression):
    content = '{"a": "k1", "n": VALUE}'.replace("VALUE", value).replace("NUMBER", literal)
    rows, reasons = map_file(content, columns={"source": expression}, kind="json")
    assert (rows[1]["source"], reasons) == (literal, {})


def test_numbers_within_json_can_be_calculated_with(map_file):
    columns = {
        "source": "(n -> '$.x')::decimal(18, 2) + (n ->> '$.y')::integer + from_json(n, '{\"x\": \"double\"}').x"
    }
    rows, _ = map_file('{"a": "k1", "n": {"x": 1.50, "y": 2}}', columns=columns, kind="json")
    assert rows[1]["source"] == "5.0"


@pytest.mark.parametrize(
    ("expression", "bad", "message"),
    [
        ("from_local(t, b)", "Europe/Kyjiw", "must be in a time zone of the IANA database, not Europe/Kyjiw"),
        ("timezone(b, t::timestamp)", "Europe/Kyjiw", "Unknown TimeZone 'Europe/Kyjiw'!"),
        ("t::timestamp at time zone b", "+02:00", "Unknown TimeZone '+02:00'!"),
        ("case when t like 'x%' escape left(b, length(b) - 12) then t else t end", "two characters", "Invalid escape"),
    ],
)
def test_an_expression_that_try_does_not_catch_rejects_its_records_alone(map_file, expression, bad, message):
    lines = [f"k{number},2026-01-05 10:00:00,Europe/Berlin" for number in range(1, 22)]
    lines[6], lines[20] = (f"k,2026-01-05 10:00:00,{bad}" for _ in range(2))
    rows, reasons = map_file(
        "a,t,b\n" + "\n".join(lines), columns={"unsubscribed_at": expression, "source": "upper(b)"}
    )
    assert list(rows) == [number for number in range(1, 22) if number not in (7, 21)]
    assert {row["source"] for row in rows.values()} == {"EUROPE/BERLIN"}
    assert list(reasons) == [7, 21]
    (reason,) = reasons[7]
    assert reason.startswith(f"unsubscribed_at: {expression} failed ({message}")
    assert f"b = '{bad}'" in reason


def test_a_condition_that_try_does_not_catch_rejects_its_records_alone(map_file):
    where = "timezone(b, t::timestamp) is not null"
    content = "a,t,b\nk1,2026-01-05,UTC\nk2,2026-01-05,Mars\nk3,,UTC\nk4,2026-01-05,UTC\n"
    rows, reasons = map_file(content, where=where)
    assert [row["contact_id"] for row in rows.values()] == ["k1", "k4"]
    assert reasons == {2: [f"where: {where} failed (Unknown TimeZone 'Mars'!; b = 'Mars'; t = '2026-01-05')"]}


def test_an_expression_that_fails_on_every_record_refuses_the_file(map_file, monkeypatch):
    monkeypatch.setattr(mapper, "MAX_ISOLATED_FAILURES", 5)
    content = "a,t,b\n" + "k1,2026-01-05,Mars\n" * 9
    with pytest.raises(RefusedFile, match="failed on more than 5 records: unsubscribed_at: Unknown TimeZone 'Mars'"):
        map_file(content, columns={"unsubscribed_at": "timezone(b, t::timestamp)"})


@pytest.mark.parametrize(
    ("expression", "fails"),
    [("a::double / b::double", {1, 2, 3}), ("a::float", {2}), ("0 / 0", {1, 2, 3, 4}), ("a", set())],
)
def test_what_is_no_finite_number_rejects_its_record(map_file, expression, fails):
    rows, reasons = map_file("a,b\n0,0\ninf,1\n1,0\n3,2\n", columns={"contact_id": expression, "source": "b"})
    assert set(reasons) == fails
    assert set(rows) == {1, 2, 3, 4} - fails
    assert all("contact_id: " in reason and "gives no finite number" in reason for (reason,) in reasons.values())


@pytest.mark.parametrize(
    ("content", "delimiter", "says"),
    [
        (
            "a;t\nk1;x\n",
            ",",
            "one column found, `a;t…`: separated by semicolons\\? set `delimiter` in the `format` of the source",
        ),
        ('"a";"t"\nk1;x\n', ",", "separated by semicolons\\? set `delimiter` in the `format` of the source"),
        ("a,t\nk1,x\n", ";", "separated by commas\\? set `delimiter` in the `format` of the source"),
        ("A,moment,t\nk1,x,y\n", ",", "no record has the field a, which .*found, but not in the mapping: A, moment\\)"),
    ],
)
def test_a_file_with_other_columns_is_refused_with_what_it_has(map_file, content, delimiter, says):
    with pytest.raises(RefusedFile, match=says):
        map_file(content, columns={"source": "t"}, delimiter=delimiter)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("0,075", "0.075"),
        ("1.234,50", "1234.50"),
        ("7,5E-05", "7.5E-05"),
        ("-,5", "-.5"),
        ("1,2,3", "1,2,3"),
        ("a,5", "a,5"),
    ],
)
def test_a_decimal_comma_is_read_as_a_point(map_file, field, text):
    rows, _ = map_file(f"a;t\nk1;{field}\n", columns={"source": "t"}, delimiter=";", decimal_comma=True)
    assert rows[1]["source"] == text
