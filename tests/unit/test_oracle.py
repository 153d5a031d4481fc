"""The oracle itself: held to the cases, to corners that the cases leave out, and to its own landing zones."""

import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.oracle import faults
from tests.oracle.admission import Admitted, log_date_of, read_landing, read_log_file
from tests.oracle.compare import QUARANTINE_TABLES, differences, read_mart, rejected_differences, rejected_rows
from tests.oracle.key_conflicts import conflicting_rows, key_conflicts
from tests.oracle.landing_zones import write_landing_zone
from tests.oracle.logs import LOGS
from tests.oracle.marts import compute
from tests.oracle.records import float_text, read_csv, read_json
from tests.oracle.renderings import EXTENSIONS, AsIs, csv_bytes, render
from tests.oracle.values import Fault, decimal, timestamp

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(scope="module", params=["small", "wide"])
def case(request) -> tuple[Path, Admitted]:
    folder = CASES / request.param
    return folder, read_landing(folder / "landing")


def test_marts_of_the_cases_come_out_exactly(case):
    folder, admitted = case
    marts = compute(admitted.rows)
    expected = {path.stem for path in (folder / "marts").glob("*.csv")}
    assert set(marts) == expected - QUARANTINE_TABLES
    wrong = {mart: differences(read_mart(folder / "marts" / f"{mart}.csv"), rows) for mart, rows in marts.items()}
    assert {mart: messages for mart, messages in wrong.items() if messages} == {}


def test_rejected_rows_and_key_conflicts_of_the_cases_come_out_exactly(case):
    folder, admitted = case
    expected = read_mart(folder / "marts" / "rejected_rows.csv")
    assert rejected_differences(expected, rejected_rows(admitted.rejected)) == []
    assert admitted.refused == []
    assert admitted.ignored == []
    conflicts = key_conflicts(admitted.rows)
    assert differences(read_mart(folder / "marts" / "key_conflicts.csv"), conflicts) == []
    assert sum(row["rows"] for row in conflicts) == conflicting_rows(admitted.rows).total()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_landing_zone_is_the_same_for_the_same_seed(tmp_path):
    for folder, seed in (("one", 7), ("again", 7), ("other", 8)):
        write_landing_zone(tmp_path / folder, seed, stories=5, refused=True, long_lines=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_a_landing_zone_has_every_log_format_and_kind_of_trouble(tmp_path):
    write_landing_zone(tmp_path, 1, stories=20, refused=True)
    admitted = read_landing(tmp_path)
    assert all(admitted.rows.values())
    for log in LOGS:
        names = [name for of_log, name in admitted.files if of_log == log]
        assert all(any(name.lower().endswith(extension) for name in names) for extension in EXTENSIONS)
        assert any(gave.refused for (of_log, _), gave in admitted.files.items() if of_log == log)
        faulty = {column for rejected in admitted.rejected if rejected.log == log for column in rejected.columns}
        assert faulty >= {name for name, column in LOGS[log].items() if column.required}
    assert not any("refused" in row.values() for rows in admitted.rows.values() for row in rows)
    for gave in admitted.files.values():
        assert len(gave.rows) + len(gave.rejected) == gave.records
    assert all(compute(admitted.rows).values())


def test_a_landing_zone_without_faults_has_only_bad_rows_that_parquet_types_make(tmp_path):
    write_landing_zone(tmp_path, 3, stories=10, faults=False)
    admitted = read_landing(tmp_path)
    assert admitted.refused == []
    assert all(rejected.source_file.endswith("parquet") for rejected in admitted.rejected)
    assert all("in place of a text" in reason for rejected in admitted.rejected for reason in rejected.reasons)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("log", LOGS)
def test_every_bad_row_is_rejected_for_its_faults_in_every_format(log, extension):
    rng = random.Random(f"{log} {extension}")
    day = datetime(2026, 1, 5).date()
    for row in faults.bad_rows(rng, log):
        gave = read_log_file(log, day, f"2026-01-05.{extension}", render(rng, extension, log, [row]))
        assert gave.refused is None
        assert [rejected.row_number for rejected in gave.rejected] == [1], row
        assert {name for name, value in row.items() if isinstance(value, AsIs)} <= gave.rejected[0].columns, row


def test_of_bad_json_lines_only_whole_objects_at_their_beginning_are_accepted():
    rng = random.Random(0)
    for log in LOGS:
        lines = faults.bad_json_lines(rng, log)
        content = b"\n".join([b"no array", *(line.content for line in lines)])
        gave = read_log_file(log, datetime(2026, 1, 5).date(), "2026-01-05.jsonl", content)
        assert (len(gave.rows), len(gave.rejected)) == (4, len(lines))


def test_a_file_replaces_what_it_gave_and_one_that_has_gone_keeps_its_rows(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    row = faults.plain_row("clicks", "k1")
    columns, rng = list(LOGS["clicks"]), random.Random(0)
    for path in (first / "clicks" / "2026-01-05.csv", first / "clicks" / "2026-01-06.csv", second / "clicks" / "x"):
        path.parent.mkdir(parents=True, exist_ok=True)
    for day in ("2026-01-05", "2026-01-06"):
        (first / "clicks" / f"{day}.csv").write_bytes(csv_bytes(rng, "clicks", [row], columns))
    (second / "clicks" / "2026-01-06.csv").write_bytes(b"click_id\nk1\n")
    earlier = read_landing(first)
    assert len(earlier.rows["clicks"]) == 2
    later = read_landing(second, earlier)
    assert [row["source_file"] for row in later.rows["clicks"]] == ["2026-01-05.csv"]
    assert [refused.source_file for refused in later.refused] == ["2026-01-06.csv"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05T00:00", datetime(2026, 1, 5)),
        ("2026-01-05 00:00:00.1-05:30", datetime(2026, 1, 5, 5, 30, 0, 100000)),
        ("1989-12-31T23:30-0030", datetime(1990, 1, 1)),
        ("2100-01-01T00:59:59.999999+01", datetime(2099, 12, 31, 23, 59, 59, 999999)),
    ],
)
def test_timestamps(text, moment):
    assert timestamp(text) == moment


def test_decimals_hold_to_their_digits():
    assert decimal("00012.500", (16, 2)) == Decimal("12.5")
    for text in ("12.345", "12345678901234567", "1e-3", "1e", "٣"):
        with pytest.raises(Fault):
            decimal(text, (16, 2))


def test_floats_are_written_by_their_shortest():
    assert [float_text(2.0), float_text(0.1), float_text(0.10000000149011612, "f")] == ["2", "0.1", "0.1"]
    assert [float_text(-1.5), float_text(2.0**24, "f"), float_text(0.0)] == ["-1.5", "16777216", "0"]


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b'a,b\n1,"x\ny"\n2,z\n', [["1", "x\ny"], ["2", "z"]]),
        (b'\xef\xbb\xbfa,b\r\n\r\n1,""""\r\n"2\r\n3",', [["1", '"'], ["2\r\n3", ""]]),
        # The quote left open spoils its own line only.
        (b'a,b\n1,"x\n2,y\n3,z\n', [None, ["2", "y"], ["3", "z"]]),
        # The quote left open is closed on the next line: that is the shortest run.
        (b'a,b\n1,"x\n2,y"\n3,z\n', [["1", "x\n2,y"], ["3", "z"]]),
        # Two lines that would do together are no record, as the break is not within quotes.
        (b"a,b,c\n1,2\n3\n4,5,6", [None, None, ["4", "5", "6"]]),
        (b'a,b\n1,x"\n"1"x,2\n1, "2"\n\xff,1\n\0,1\n1,2', [None, None, None, None, None, ["1", "2"]]),
        (b'a,b\n1,"' + b"\n" * 99 + b'"\n', [["1", "\n" * 99]]),
        (b'a,b\n1,"' + b"\n" * 100 + b'"\n', [None, None]),
    ],
)
def test_csv_records(content, records):
    reading = read_csv(content)
    assert [None if record.broken else list(record.cells.values()) for record in reading.records] == records


def test_json_numbers_stay_as_they_are_written():
    cells = read_json(b'{"a": 1.50, "b": 1e3, "c": -0}').records[0].cells
    assert cells == {"a": "1.50", "b": "1e3", "c": "-0"}


def test_names_of_log_files():
    fitting = (
        *("2026-01-05.CSV", "2026-01-05.0.jsonl.gz", "2026-01-05/any name.v2.parquet"),
        *(
            "date=2026-01-05/x.Json",
            "dt=2026-01-05/hour=08/eu/x.csv.Zst",
            "2026/01/05/x.ndjson",
            "2026/01/05/08/x.parquet",
        ),
    )
    assert all(log_date_of(name) for name in fitting)
    others = (
        "2026-02-30.csv",
        "2026-01-05.txt",
        "2026-01-05/a/b.csv",
        *(
            "2026/02/30/x.csv",
            "eu/date=2026-01-05/x.csv",
            "date=2026-01-05",
            "a=b=2026-01-05/x.csv",
            "2026-01-05.parquet.gz",
        ),
        "x2026-01-05.csv",
        "2026-1-5.csv",
    )
    assert not any(log_date_of(name) for name in others)


def test_differences_are_told_as_multisets():
    expected = [{"id": "a", "revenue": "1.50"}, {"id": "a", "revenue": "1.5"}, {"id": "b", "revenue": None}]
    same = [{"id": "b", "revenue": None, "more": 1}] + [{"id": "a", "revenue": Decimal("1.500"), "more": 2}] * 2
    assert differences(expected, same) == []
    messages = differences(expected, same[:2])
    assert messages == ["3 rows expected, 2 found", "missing: id='a', revenue=1.50"]
    assert differences([], same[:1]) != []
    assert differences(expected, [{"id": "a"}]) == ["no such column: revenue"]
