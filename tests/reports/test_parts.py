"""Parts of the pages: SMS segments, the message preview, the geometry of charts, CSV downloads, formatted values."""

import itertools
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from models.marts import columns
from reports import formatting
from reports.charts import HEIGHT, lengths, shares, stacked, ticks
from reports.csv_download import _NUMBER_CELL, _masked_cell
from reports.links import campaign_path
from reports.message_preview import count_segments, message_preview
from warehouse.export import Layout, copy_to_csv_sql, csv_blocks, write_blocks

# --- segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the escape pair is not split, although 306 / 153 is 2
        ("ç", "UCS-2", 1, 1),  # GSM-7 has only the capital Ç
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("👋" * 35, "UCS-2", 70, 1),
        ("я" * 66 + "👋" + "я" * 66, "UCS-2", 134, 3),  # nor is the surrogate pair, although 134 / 67 is 2
        ("a" * 69 + "👋", "UCS-2", 71, 2),
    ],
)
def test_segments_at_the_limits_of_their_size(text: str, encoding: str, units: int, count: int) -> None:
    segments = count_segments(text)
    assert (segments.encoding, segments.units, segments.count) == (encoding, units, count)


def runs_of(letters: str) -> st.SearchStrategy[str]:
    """Texts of several segments, with characters of one and of two units at the limits of segments."""
    run = st.builds(lambda letter, length: letter * length, st.sampled_from(letters), st.integers(1, 160))
    return st.lists(run, min_size=1, max_size=8).map("".join)


@given(runs_of("ab €{^ÄèΔ\n") | runs_of("a€яç👋🎂\u200d’"))
def test_segments_agree_with_another_library(text: str) -> None:
    theirs = smsutil.split(text)
    segments = count_segments(text)
    assert segments.encoding == {"gsm0338": "GSM-7", "utf_16_be": "UCS-2"}[theirs.encoding]
    assert segments.count == len(theirs.parts)


# --- the message


def details(body: str | None, kind: str = "SMS") -> dict:
    return {"body": body, "campaign_type": kind, "media_url": None, "sender": "SHOP", "max_segments": 3}


def test_liquid_markup_is_set_apart_and_not_counted() -> None:
    preview = message_preview(details("Hi {{ name\n| upcase }},{% if a %} yes{% endif %}\r\n👋 {not liquid}"))
    assert [(piece.text, piece.is_liquid) for piece in preview.pieces] == [
        ("Hi ", False),
        ("{{ name\n| upcase }}", True),
        (",", False),
        ("{% if a %}", True),
        (" yes", False),
        ("{% endif %}", True),
        ("\n👋 {not liquid}", False),
    ]
    assert preview.is_approximate
    assert preview.segments == count_segments("Hi , yes\n👋 {not liquid}")


def test_the_count_of_a_message_without_liquid_is_exact() -> None:
    assert not message_preview(details("Hello")).is_approximate
    assert message_preview(details(None)).pieces == []


# --- charts


def test_shares_fill_the_width_side_by_side() -> None:
    bars = shares([1, 0, 3], 100)
    assert [(bar.x, bar.width) for bar in bars] == [(0, 25), (25, 0), (25, 75)]
    assert [bar.width for bar in shares([0, 0])] == [0, 0]
    assert lengths([Decimal("5"), None, 10]) == [50, 0, 100]


@given(st.integers(0, 10**9))
def test_ticks_are_few_whole_numbers_up_to_the_highest_value(highest: int) -> None:
    marks = ticks(highest)
    assert marks[0] == 0
    assert highest <= marks[-1]
    assert marks[-2] < max(highest, 1)
    assert 2 <= len(marks) <= 6
    assert len({after - before for before, after in itertools.pairwise(marks)}) == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=92))
def test_stacked_columns_meet_and_stay_within_the_chart(values: list[tuple[int, int]]) -> None:
    below, above = stacked([list(series) for series in zip(*values, strict=True)]).series
    for lower, upper in zip(below, above, strict=True):
        assert lower.y + lower.height == pytest.approx(HEIGHT, abs=0.02)
        assert upper.y + upper.height == pytest.approx(lower.y, abs=0.02)
        assert upper.y >= -0.01


# --- files


def test_closing_a_csv_cancels_its_query() -> None:
    with duckdb.connect() as connection:
        statement = "copy (from range(1_000_000_000)) to '/dev/fd/{pipe}' (format csv, use_tmp_file false)"
        blocks = csv_blocks(connection, statement, {})
        assert next(blocks)
        assert "csv" in [thread.name for thread in threading.enumerate()]
        blocks.close()
        assert "csv" not in [thread.name for thread in threading.enumerate()]


def test_a_disk_that_is_full_is_named_and_ends_the_query() -> None:
    with duckdb.connect() as connection:
        statement = "copy (from range(1_000_000_000)) to '/dev/fd/{pipe}' (format csv, use_tmp_file false)"
        with pytest.raises(OSError, match="No space left") as raised:
            write_blocks(Path("/dev/full"), csv_blocks(connection, statement, {}))
        assert raised.value.filename == "/dev/full"
        assert "csv" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("is_raw", [True, False])
def test_many_rows_are_written_in_order_by_several_threads(is_raw: bool) -> None:
    names = ("campaign_id", "contact_id", "last_sent_at")
    written = [(column, column.name) for column in columns("delivery_status") if column.name in names]
    with duckdb.connect(config={"threads": 4}) as connection:
        connection.execute(
            "create table sent as select 'c' || range % 7 as campaign_id, 'k' || hash(range) as contact_id,"
            " timestamp '2026-01-01' + to_seconds(range) as last_sent_at from range(500_000)"
        )
        layout = Layout(is_raw=is_raw, zone=ZoneInfo("UTC"))
        statement = copy_to_csv_sql(written, "from sent as mart", "mart.campaign_id desc, mart.contact_id", layout)
        lines = b"".join(csv_blocks(connection, statement, {})).decode().splitlines()[1:]
        keys = connection.execute("select campaign_id, contact_id from sent order by campaign_id desc, contact_id")
        expected = keys.fetchall()
    assert [tuple(cell.strip('"') for cell in line.split(",")[:2]) for line in lines] == expected


def test_an_error_in_the_middle_of_a_csv_is_raised() -> None:
    with duckdb.connect() as connection:
        late = "copy (select if(range < 3_000_000, range, error('late')) from range(4_000_000))"
        statement = late + " to '/dev/fd/{pipe}' (format csv, use_tmp_file false)"
        blocks = csv_blocks(connection, statement, {})
        assert next(blocks)
        with pytest.raises(duckdb.Error, match="late"):
            list(blocks)


# --- formatted values


def test_values_are_formatted() -> None:
    assert formatting.count(1234567) == "1,234,567"
    assert formatting.money(Decimal("1234.5")) == "1,234.50"
    assert formatting.amount(Decimal("1234.5000")) == "1,234.50"
    assert formatting.amount(Decimal("1234.3450")) == "1,234.3450"
    assert formatting.rate(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert [formatting.rate(part).replace("\N{NO-BREAK SPACE}", " ") for part in (0, 0.0004, 0.0005, 0.9996, 1, 2)] == [
        "0.0 %",
        "<0.1 %",
        "0.1 %",
        ">99.9 %",
        "100.0 %",
        "200.0 %",
    ]
    assert formatting.rate(None) == formatting.count(None) == formatting.NOTHING
    assert [formatting.size(size) for size in (999, 1_500, 2_500_000, 7_000_000_000)] == [
        "999 bytes",
        "1.5 kB",
        "2.5 MB",
        "7.0 GB",
    ]
    berlin = ZoneInfo("Europe/Berlin")
    assert formatting.moment(datetime(2026, 1, 1, 23, 30), berlin) == "2026-01-02 00:30"
    assert formatting.moment(datetime(2026, 7, 1, 12, tzinfo=UTC), berlin) == "2026-07-01 14:00"
    (column,) = (column for column in columns("delivery_status") if column.name == "error_code")
    cells = [formatting.cell("absent: 447700900123", column, berlin, masks=masks) for masks in (True, False)]
    assert cells == ["absent: 44…23", "absent: 447700900123"]


@pytest.mark.parametrize(
    ("campaign_id", "path"),
    [
        ("cmp_1", "/campaigns/cmp_1"),
        ("a/b?c#d%2F", "/campaigns/a%2Fb%3Fc%23d%252F"),
        ("..", "/campaigns/?id=.."),
        ("é\n", "/campaigns/%C3%A9%0A"),
    ],
)
def test_the_path_of_a_campaign_holds_any_id(campaign_id: str, path: str) -> None:
    assert campaign_path(campaign_id) == path


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('"c1","+447700900123",5', '"c1","+44…23",5'),
        ("c1,+447700900123\r\n", "c1,+44…23\r\n"),
        ('"\'+447700900123"\n"\'+12025550123"', '"\'+44…23"\n"\'+12…23"'),
        ('"call +447700900123 now",1', '"call +447700900123 now",1'),
        ("447700900123,00447700900123,+1", "447700900123,00447700900123,+1"),
    ],
)
def test_a_cell_that_is_a_number_is_masked(line: str, masked: str) -> None:
    assert _NUMBER_CELL.sub(_masked_cell, line.encode()).decode() == masked
