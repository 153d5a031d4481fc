"""Exports, byte for byte and cell for cell, and which of them are pruned."""

import csv
import hashlib
import io
import json
import os
import re
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pytest

from models.marts import INSIGHTS, MARTS, columns, qualified
from reports.database import PublishedDatabase
from reports.export_requests import exported_files
from reports.pages.listings import LISTINGS
from reports.queries import campaign_table
from tests.running import write_row_digests
from warehouse.config.paths import DataPaths
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached
from warehouse.export import (
    ON_REQUEST,
    REPORT_ORDERS,
    REPORTS,
    ExportRefused,
    FileFormat,
    NothingPublished,
    Unchanged,
    has_campaigns,
    read_description,
    read_header,
    xlsx,
)
from warehouse.export.exports import export, missing, prune
from warehouse.export.formula_cells import mark_sql, unmark_sql
from warehouse.ledger import Ledger

LABELS = [
    *("Last sent", "Campaign name", "Click-to-delivered rate", "Conversion rate", "Direct orders", "Assisted orders"),
    *("Last modified by", "Revenue", "Assisted revenue", "Total segments", "Total clicks", "Total delivered"),
    *("Total sent", "Type", "Unique clickers", "Unsubscribes", "Campaign ID"),
]
HEADERS = {
    "campaign_metrics": LABELS,
    "campaign_overview": [
        *("campaign_id", "campaign_name", "revenue", "unique_sends", "unique_deliveries", "pending", "soft_bounces"),
        *("hard_bounces", "deleted", "unsubscribes"),
    ],
    "delivery_status": [
        *(
            "campaign_id",
            "contact_id",
            "mobile_number",
            "delivery_status",
            "messages_sent",
            "message_id",
            "last_sent_at",
        ),
        *("status_at", "provider", "provider_status", "error_code"),
    ],
    "skip_reasons": [
        *("campaign_id", "campaign_name", "contact_id", "message_id", "mobile_number", "skip_reason"),
        *("skip_reason_details", "skipped_at"),
    ],
    "attributed_unsubscribes": [
        *("contact_id", "unsubscribed_at", "source", "campaign_id", "campaign_name", "message_id", "sent_at"),
    ],
    "suppressed_numbers": ["mobile_number", "suppressed_at", "campaign_id", "message_id", "contact_id"],
    "attributed_orders": [
        *("order_id", "campaign_id", "attribution", "contact_id", "ordered_at", "clicked_at", "click_id", "revenue"),
        *("currency", "total", "refunded_amount"),
    ],
}
"""The headings of raw files: programs read them."""

WORDS = {
    "campaign_metrics": ["Last sent (UTC)", *LABELS[1:]],
    "delivery_status": [
        *("Campaign ID", "Contact", "Number", "Status", "Messages", "Message ID", "Last sent (UTC)"),
        *("Status since (UTC)", "Provider", "Provider's status", "Error code"),
    ],
    "skip_reasons": [
        *("Campaign ID", "Campaign name", "Contact", "Message ID", "Number", "Reason", "Details", "Skipped at (UTC)"),
    ],
}
"""Headings of files for people."""

NOON = datetime(2026, 1, 5, 12)
SAMPLE_VALUE = {
    "varchar": "x",
    "timestamp": NOON,
    "double": 0.5,
    "decimal(18,2)": Decimal("1.50"),
    "decimal(18,6)": Decimal("0.007500"),
    "bigint": 7,
    "boolean": True,
    "date": NOON.date(),
}


@cache
def empty_marts() -> bytes:
    """A file with the tables of all marts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "published.duckdb"
        with attached(read_only=False, published=file) as connection:
            for schema in {mart.schema for mart in MARTS.values()}:
                connection.execute(f"create schema published.{schema}")
            for mart in MARTS:
                definition = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
                connection.execute(f"create table published.{qualified(mart)} ({definition})")
        return file.read_bytes()


class Published:
    """A data folder with published marts of given rows."""

    def __init__(self, data: Path, monkeypatch) -> None:
        self.paths = DataPaths(data)
        self.ledger = Ledger(self.paths.ledger)
        self._monkeypatch = monkeypatch

    def publish(self, build_id: str = "b1", release: str = "0.3", **rows_of_marts: list[dict]) -> None:
        """Publishes rows with the values given and made-up others, in the layout of a release; 0.1 has no row digests."""
        path = self.paths.published_marts
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(empty_marts())
        rows_of_marts["build_info"] = [
            {"build_id": build_id, "data_until": None, "settings": load_settings().as_json()}
        ]
        with attached(read_only=False, published=path) as connection:
            for mart in rows_of_marts.keys() & MARTS.keys():
                types = {column.name: column.sql_type for column in columns(mart)}
                made_up = {name: SAMPLE_VALUE.get(sql_type) for name, sql_type in types.items()}
                for row in rows_of_marts[mart]:
                    assert row.keys() <= types.keys()
                    marks = ", ".join("?" * len(types))
                    values = list((made_up | row).values())
                    connection.execute(f"insert into published.{qualified(mart)} values ({marks})", values)
            if release != "0.1":
                write_row_digests(connection, "published", release, HEADERS)

    def export(self, *reports: str, mode: str = "spreadsheet", **options):
        self._monkeypatch.setenv("SENDMART_EXPORT_CSV_MODE", mode)
        return export(load_settings(), self.paths, self.ledger, reports or REPORTS, **options)

    def on_request(self, report: str, campaign: str | None = None, file_format: FileFormat = FileFormat.CSV) -> Path:
        (written,) = self.export(report, campaign=campaign, file_format=file_format)
        return self.paths.exports / report / written.file

    def csv(self, report: str, mode: str = "spreadsheet") -> bytes:
        (written,) = self.export(report, mode=mode, all_campaigns=True)
        return (self.paths.exports / report / written.file).read_bytes()

    def lines(self, report: str, mode: str = "spreadsheet") -> list[str]:
        """The lines after the header."""
        header, *lines, end = self.csv(report, mode).decode("utf-8-sig").split("\n")
        assert header
        assert end == ""
        return lines


@pytest.fixture
def published(tmp_path, bare_environment, monkeypatch) -> Published:
    return Published(tmp_path / "data", monkeypatch)


CAMPAIGN = {
    "campaign_id": "c1",
    "last_sent_at": NOON,
    "campaign_name": "January sale",
    "click_to_delivered_rate": 0.25,
    "conversion_rate": 1 / 3,
    "direct_orders": 1,
    "assisted_orders": 2,
    "last_modified_by": "ana",
    "revenue": Decimal("12.50"),
    "assisted_revenue": Decimal("1234567.00"),
    "total_segments": 3,
    "total_clicks": 4,
    "total_delivered": 5,
    "total_sent": 6,
    "campaign_type": "SMS",
    "unique_clickers": 7,
    "unsubscribes": 8,
}


def test_the_campaign_table_has_the_columns_of_the_report_in_order(published):
    published.publish(campaign_metrics=[CAMPAIGN])
    assert published.lines("campaign_metrics", "raw") == [
        "2026-01-05T12:00:00Z,January sale,0.25,0.3333333333333333,1,2,ana,12.50,1234567.00,3,4,5,6,SMS,7,8,c1"
    ]
    assert published.lines("campaign_metrics") == [
        '2026-01-05 12:00:00,"January sale",0.25,0.3333333333333333,1,2,"ana",12.50,1234567.00,3,4,5,6,"SMS",7,8,"c1"'
    ]


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_without_rows_has_its_header(published, report):
    published.publish()
    raw = published.csv(report, "raw")
    assert raw.decode("utf-8") == ",".join(HEADERS[report]) + "\n"
    content = published.csv(report, "spreadsheet")
    assert content.startswith(b"\xef\xbb\xbf"), "the byte-order mark, by which Excel knows UTF-8"
    (header,) = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert header == WORDS.get(report, header)
    assert content.endswith(b"\n")
    assert b"\r" not in content


@pytest.mark.parametrize("report", ON_REQUEST)
@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_the_columns_of_a_header_are_known_in_both_modes_and_in_the_description(published, monkeypatch, report, zone):
    monkeypatch.setenv("SENDMART_REPORT_TIMEZONE", zone)
    published.publish()
    for mode, time_zone in (("raw", "UTC"), ("spreadsheet", zone)):
        (written,) = published.export(report, mode=mode, all_campaigns=True)
        line, _, _ = (published.paths.exports / report / written.file).read_text(encoding="utf-8").partition("\n")
        header = read_header(report, line)
        assert header and header.columns == written.columns
        assert sorted(header.columns) == sorted(column.name for column in columns(report))
        assert header.is_marked is (mode == "spreadsheet")
        assert written.time_zone == time_zone
        times = [column.name for column in columns(report) if column.sql_type == "timestamp"]
        with_zone = [
            name for name, heading in zip(header.columns, header.headings, strict=True) if f"({zone})" in heading
        ]
        assert sorted(with_zone) == (sorted(times) if mode == "spreadsheet" else [])
        renamed = ["x" * at for at, _ in enumerate(header.headings, start=1)]
        assert read_header(report, ",".join(renamed)) is None
        assert read_header(report, ",".join(renamed), written.columns).columns == written.columns


def test_the_other_reports_have_the_columns_of_their_marts(published):
    published.publish(
        delivery_status=[{"contact_id": "k1", "mobile_number": "+447700900123", "error_code": None}],
        attributed_unsubscribes=[dict.fromkeys(HEADERS["attributed_unsubscribes"][2:])],
        campaign_overview=[{"revenue": Decimal("0.00"), "pending": 0}],
        skip_reasons=[{"skip_reason_details": "the campaign is empty, so: nothing"}],
    )  # fmt: skip
    assert published.lines("delivery_status") == [
        '"x","k1","\'+447700900123","x",7,"x",2026-01-05 12:00:00,2026-01-05 12:00:00,"x","x",'
    ]
    assert published.lines("delivery_status", "raw") == [
        "x,k1,+447700900123,x,7,x,2026-01-05T12:00:00Z,2026-01-05T12:00:00Z,x,x,"
    ]
    assert published.lines("attributed_unsubscribes") == ['"x",2026-01-05 12:00:00,,,,,']
    assert published.lines("campaign_overview") == ['"x","x",0.00,7,7,0,7,7,7,7']
    assert published.lines("skip_reasons", "raw") == [
        'x,x,x,x,x,x,"the campaign is empty, so: nothing",2026-01-05T12:00:00Z'
    ]


MOMENTS = {
    datetime(2026, 1, 5): "2026-01-05T00:00:00Z",
    datetime(2026, 12, 31, 23, 59, 59): "2026-12-31T23:59:59Z",
    datetime(2026, 1, 5, 1, 2, 3, 500000): "2026-01-05T01:02:03.500000Z",
    datetime(2026, 1, 5, 1, 2, 3, 1): "2026-01-05T01:02:03.000001Z",
    datetime(2026, 1, 5, 1, 2, 59, 999999): "2026-01-05T01:02:59.999999Z",
    datetime(1990, 1, 1): "1990-01-01T00:00:00Z",
    datetime(2099, 12, 31, 23, 59, 59, 999999): "2099-12-31T23:59:59.999999Z",
    None: "",
}


def test_timestamps_of_raw_files_are_iso_8601_in_utc(published, monkeypatch):
    monkeypatch.setenv("SENDMART_REPORT_TIMEZONE", "Asia/Tokyo")
    published.publish(
        campaign_metrics=[{"campaign_id": f"c{at}", "last_sent_at": moment} for at, moment in enumerate(MOMENTS)]
    )
    actual = [line.split(",")[0] for line in published.lines("campaign_metrics", "raw")]
    assert actual == list(MOMENTS.values())


LOCAL_TIMES = {
    datetime(2026, 3, 8, 5, 29, 59, 999999): "2026-03-08 01:59:59",
    datetime(2026, 3, 8, 5, 30): "2026-03-08 03:00:00",
    datetime(2026, 11, 1, 4, 29): "2026-11-01 01:59:00",
    datetime(2026, 11, 1, 4, 30): "2026-11-01 01:00:00",
    datetime(2027, 1, 1, 2): "2026-12-31 22:30:00",
}
"""In Newfoundland, around its clock changes."""


def test_times_of_files_for_people_are_local_to_the_second_and_their_zone_is_in_the_heading(published, monkeypatch):
    monkeypatch.setenv("SENDMART_REPORT_TIMEZONE", "America/St_Johns")
    latest_first = list(reversed(LOCAL_TIMES.values()))
    published.publish(
        skip_reasons=[{"contact_id": f"k{at}", "skipped_at": moment} for at, moment in enumerate(LOCAL_TIMES)]
    )
    assert [line.rpartition(",")[2] for line in published.lines("skip_reasons")] == latest_first
    sheet = sheet_of(published.on_request("skip_reasons", None, FileFormat.XLSX))
    assert [cell.value for cell in sheet[1]] == [*WORDS["skip_reasons"][:-1], "Skipped at (America/St_Johns)"]
    shown = [row[-1].value for row in sheet.iter_rows(min_row=2)]
    assert [str(moment) for moment in shown] == latest_first


def test_the_order_of_a_report_is_that_of_its_page():
    at_first = campaign_table.TableQuery()
    orders = {"campaign_metrics": ((at_first.sort, at_first.descending), ("campaign_id", False))}
    for listing in LISTINGS:
        column, is_descending = listing.order
        order = ((column, is_descending), *((name, False) for name in listing.key if name != column))
        if {name for name, _ in order} <= {column.name for column in columns(listing.mart)} and not listing.summed:
            orders[listing.mart] = order
    assert {report: orders[report] for report in REPORT_ORDERS} == REPORT_ORDERS
    assert set(orders) & set(REPORTS) <= set(REPORT_ORDERS)


def test_a_table_for_people_is_in_the_order_of_its_page_and_a_raw_one_in_that_of_the_key(published):
    last_sent = {"c1": NOON, "c2": None, "c3": NOON + timedelta(days=1), "c4": NOON}
    published.publish(
        campaign_metrics=[
            CAMPAIGN | {"campaign_id": name, "last_sent_at": moment} for name, moment in last_sent.items()
        ],
        skip_reasons=[
            {"message_id": message, "campaign_id": campaign, "skipped_at": NOON + timedelta(days=days)}
            for message, campaign, days in (("1", "b", 0), ("2", "a", 0), ("3", "a", 1), ("4", "a", 0))
        ],
    )
    assert [line.rpartition(",")[2] for line in published.lines("campaign_metrics", "raw")] == ["c1", "c2", "c3", "c4"]
    assert [line.rpartition(",")[2] for line in published.lines("campaign_metrics")] == ['"c3"', '"c1"', '"c4"', '"c2"']
    assert [line.split(",")[3] for line in published.lines("skip_reasons", "raw")] == ["1", "2", "3", "4"]
    assert [line.split(",")[3] for line in published.lines("skip_reasons")] == ['"3"', '"2"', '"4"', '"1"']


@pytest.mark.parametrize("mode", ["spreadsheet", "raw"])
def test_nulls_are_empty_and_numbers_stay_numbers(published, mode):
    nulls = dict.fromkeys(("campaign_name", "last_modified_by", "campaign_type", "click_to_delivered_rate"))
    amounts = {"revenue": Decimal("9999999999999999.99"), "assisted_revenue": Decimal("-0.05"), "conversion_rate": 0.0}
    published.publish(campaign_metrics=[CAMPAIGN | nulls | amounts | {"last_sent_at": None, "campaign_id": "7"}])
    (line,) = published.lines("campaign_metrics", mode)
    name = '"7"' if mode == "spreadsheet" else "7"
    assert line == f",,,0.0,1,2,,9999999999999999.99,-0.05,3,4,5,6,,7,8,{name}"


# Text that spreadsheet programs would take for a formula

FORMULAS = {
    "=1+1": "'=1+1",
    "+447700900123": "'+447700900123",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "\tx": "'\tx",
    "=cmd|'/c calc'!A1": "'=cmd|'/c calc'!A1",
    '="x"': '\'="x"',
    " =1": "' =1",
    "'=1": "''=1",
    '"=1': "'\"=1",
    # A program that splits cells at another separator than the comma, or at a line end, reads the rest as a cell.
    "a;=cmd|'/c calc'!A1": "'a;'=cmd|'/c calc'!A1",
    "x\t=1+1": "'x\t'=1+1",
    "a\n=1+1": "'a\n'=1+1",
    "a\r\n+1": "'a\r\n'+1",
    "a,-1|@x": "'a,'-1|'@x",
    'a; "=1"': "'a;' \"=1\"",
    "=1;=2": "'=1;'=2",
    # Full-width signs; no-break space, zero-width space, byte-order mark.
    "\uff1d1": "'\uff1d1",
    "\uff0b1": "'\uff0b1",
    "\uff0d1": "'\uff0d1",
    "\uff20x": "'\uff20x",
    "\u00a0=1": "'\u00a0=1",
    "\u200b-1": "'\u200b-1",
    "\ufeff+1": "'\ufeff+1",
    "a;\u200b@x": "'a;'\u200b@x",
}
"""Text with formulas, and the cell of the CSV export. The first ones are those of OWASP's page on CSV injection."""

HARMLESS = ["x=1", "1-2", "'x", "a@b", "#x", "", "é", "2026-01-05", "null", "a;b", "it's; 3 - 2", "a|b=c", "x\ty"]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def skipped(texts: list[str]) -> list[dict]:
    """A row for each text, in this order."""
    return [{"message_id": f"m{at:03}", "campaign_name": text} for at, text in enumerate(texts)]


def test_text_that_looks_like_a_formula_is_escaped_and_all_text_is_quoted(published):
    published.publish(skip_reasons=skipped([*FORMULAS, *HARMLESS]))
    shown = [*FORMULAS.values(), *HARMLESS]
    rows = [
        f'"x",{quoted(text)},"x","m{at:03}","x","x","x",2026-01-05 12:00:00\n'.encode() for at, text in enumerate(shown)
    ]
    _, _, actual = published.csv("skip_reasons").partition(b"\n")
    assert actual == b"".join(rows)


@pytest.mark.parametrize("report", REPORTS)
def test_formulas_are_escaped_in_every_text_column_of_every_report_and_in_no_other(published, report):
    types = {column.name: column.sql_type for column in columns(report)}
    starts = ["\t", "\n", "\r", "+", "-", "=", "@"]  # as they sort
    published.publish(
        **{
            report: [
                {
                    name: f"{start}1" if sql_type == "varchar" else -1
                    for name, sql_type in types.items()
                    if sql_type != "timestamp"
                }
                for start in starts
            ]
        }
    )
    content = published.csv(report).decode("utf-8-sig")
    _, *rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    names = read_header(report, content.partition("\n")[0]).columns
    for start, row in zip(starts, rows, strict=True):
        for name, cell in zip(names, row, strict=True):
            if types[name] == "varchar":
                assert cell == f"'{start}1", name
            elif types[name] != "timestamp":
                assert Decimal(cell) == -1, name


@pytest.mark.parametrize("text", [*FORMULAS, *FORMULAS.values(), *HARMLESS, "'a;=1", "'a;'=1"])
def test_a_marked_text_is_recognised(text: str) -> None:
    query = f"select {unmark_sql('cell')} from (select {mark_sql('value')} as cell from (select $1 as value))"
    ((original,),) = duckdb.execute(query, [text]).fetchall()
    assert original == text


def test_raw_mode_writes_values_unchanged(published):
    texts = [*FORMULAS, *HARMLESS, "a,b", 'a"b', "a\nb", "a\rb", "a\r\nb", " a ", '"', "a;b", "a\tb"]
    published.publish(skip_reasons=skipped(texts))
    content = published.csv("skip_reasons", "raw").decode("utf-8")
    _, *rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    assert [row[1] for row in rows] == texts
    assert all([*row[:1], *row[2:3], *row[4:]] == ["x"] * 5 + ["2026-01-05T12:00:00Z"] for row in rows)


@pytest.mark.parametrize("mode", ["spreadsheet", "raw"])
def test_rows_are_sorted_by_the_bytes_of_their_key(published, mode):
    keys = [("b", "2"), ("a", "10"), ("a", "9"), ("B", "1"), ("é", "1"), ("=b", "1"), ("a", "A"), ("z", "1")]
    published.publish(delivery_status=[{"campaign_id": campaign, "contact_id": contact} for campaign, contact in keys])
    rows = [next(csv.reader([line])) for line in published.lines("delivery_status", mode)]
    expected = sorted(keys, key=lambda key: tuple(part.encode() for part in key))
    assert [(row[0].removeprefix("'"), row[1]) for row in rows] == expected


def test_unsubscribes_are_sorted_by_contact_and_time(published):
    moments = [NOON + timedelta(hours=hours) for hours in (5, 1, 3)]
    rows = [{"contact_id": contact, "unsubscribed_at": moment} for moment in moments for contact in ("k2", "k1")]
    published.publish(attributed_unsubscribes=rows)
    actual = [line.split(",")[:2] for line in published.lines("attributed_unsubscribes", "raw")]
    assert actual == [[contact, f"2026-01-05T{hour}:00:00Z"] for contact in ("k1", "k2") for hour in (13, 15, 17)]


# Files


def test_an_export_is_named_after_its_time_and_has_a_description(published):
    published.publish("build 7", skip_reasons=[{"message_id": "m1"}, {"message_id": "m2"}])
    before = datetime.now(UTC).replace(microsecond=0)
    exports = published.export()
    after = datetime.now(UTC)
    assert [written.report for written in exports] == list(REPORTS)
    for written in exports:
        path = published.paths.exports / written.report / written.file
        moment = datetime.strptime(written.file, f"{written.report}_%Y%m%dT%H%M%SZ.csv").replace(tzinfo=UTC)
        assert before <= moment <= after
        described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert described["report"] == written.report
        assert described["build_id"] == "build 7"
        assert described["rows"] == (2 if written.report == "skip_reasons" else 0)
        assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert sorted(file.suffix for file in path.parent.iterdir()) == [".csv", ".json"]
    assert published.ledger.exported_reports("build 7") == set(REPORTS)


def test_exports_within_a_second_do_not_overwrite_one_another(published):
    published.publish()
    files = {written.file for _ in range(3) for written in published.export("skip_reasons", all_campaigns=True)}
    assert len(files) == 3
    assert len(list((published.paths.exports / "skip_reasons").iterdir())) == 6


def test_an_export_is_named_after_all_others_though_the_clock_was_set_back(published, monkeypatch):
    published.publish(campaigns=[{"campaign_id": "c1"}], skip_reasons=[{"campaign_id": "c1"}])
    names = []
    for days in (400, -3, 0, 800, -800):
        moment = datetime.now(UTC) + timedelta(days=days)
        monkeypatch.setattr("warehouse.export.exports.now", lambda moment=moment: moment)
        for options in ({}, {"all_campaigns": True}, {"campaign": "c1"}):
            names += [written.file for written in published.export("campaign_metrics", **options)]
    times = [name.rpartition("_")[2] for name in names]
    assert times == sorted(set(times))


def test_an_export_does_not_change_the_published_file(published):
    published.publish(skip_reasons=[{}])
    before = published.paths.published_marts.read_bytes()
    published.export()
    assert published.paths.published_marts.read_bytes() == before
    assert [file.name for file in published.paths.published_marts.parent.iterdir()] == ["sendmart.duckdb"]


def test_an_export_without_a_published_build_is_refused(published):
    with pytest.raises(NothingPublished):
        published.export()
    assert not published.paths.exports.exists()


def test_the_data_folder_can_have_any_name(tmp_path, bare_environment, monkeypatch):
    published = Published(tmp_path / "it's; a 'folder'", monkeypatch)
    published.publish(skip_reasons=[{}])
    assert len(published.lines("skip_reasons")) == 1


# Pruning

AT = datetime(2026, 2, 10, 12, 0, 0, tzinfo=UTC)


def stamped(report: str, moment: datetime, extension: str = "csv") -> str:
    return f"{report}_{moment:%Y%m%dT%H%M%SZ}.{extension}"


def export_file(paths: DataPaths, name: str) -> Path:
    path = paths.exports / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def remaining(paths: DataPaths) -> set[str]:
    return {path.relative_to(paths.exports).as_posix() for path in paths.exports.rglob("*") if not path.is_dir()}


@pytest.fixture
def paths(tmp_path) -> DataPaths:
    return DataPaths(tmp_path / "data")


@pytest.mark.parametrize("report", ON_REQUEST)
@pytest.mark.parametrize("extension", ["csv", "json", "xlsx"])
@pytest.mark.parametrize(
    ("age", "is_pruned"),
    [
        (timedelta(days=30, seconds=1), True),
        (timedelta(days=30), False),
        (timedelta(days=30, seconds=-1), False),
        (timedelta(days=365 * 20), True),
        (timedelta(0), False),
        (timedelta(days=-400), False),
    ],
)
def test_exports_older_than_the_retention_by_their_name_are_pruned(paths, report, extension, age, is_pruned):
    name = f"{report}/{stamped(report, AT - age, extension)}"
    path = export_file(paths, name)
    os.utime(path, (0, 0))  # what the file system says of its age does not matter
    assert prune(paths, 30, AT) == [name] * is_pruned
    assert path.exists() is not is_pruned


def test_pruning_follows_the_given_retention(paths):
    names = [f"skip_reasons/{stamped('skip_reasons', AT - timedelta(days=days))}" for days in (1, 3, 8)]
    for name in names:
        export_file(paths, name)
    assert prune(paths, 7, AT) == [names[2]]
    assert prune(paths, 2, AT) == [names[1]]
    assert remaining(paths) == {names[0]}


FOREIGN = [
    "skip_reasons/skip_reasons.csv",
    "skip_reasons/notes.txt",
    "skip_reasons/skip_reasons_20200101T000000Z.csv.bak",
    "skip_reasons/skip_reasons_20200101T000000Z.xls",
    "skip_reasons/skip_reasons-0123456789a_20200101T000000Z.csv",
    "skip_reasons/skip_reasons-0123456789AB_20200101T000000Z.csv",
    "skip_reasons/skip_reasons-0123456789abc_20200101T000000Z.csv",
    "skip_reasons/skip_reasons_20200101T000000Z.csv\n",
    "skip_reasons/skip_reasons_20200101T000000Z",
    "skip_reasons/skip_reasons_20200101T000000.csv",
    "skip_reasons/skip_reasons_20200101T000000z.csv",
    "skip_reasons/skip_reasons_20200101.csv",
    "skip_reasons/skip_reasons_2020-01-01T00:00:00Z.csv",
    "skip_reasons/skip_reasons_20200230T000000Z.csv",
    "skip_reasons/skip_reasons_20201301T000000Z.csv",
    "skip_reasons/skip_reasons_20200101T250000Z.csv",
    "skip_reasons/skip_reasons_20200101T000060Z.csv",
    "skip_reasons/skip_reasons_00000101T000000Z.csv",
    "skip_reasons/skip_reasons_２０２０0101T000000Z.csv",
    "skip_reasons/Skip_reasons_20200101T000000Z.csv",
    "skip_reasons/my_skip_reasons_20200101T000000Z.csv",
    "skip_reasons/skip_reasons_20200101T000000Z (1).csv",
    "skip_reasons/.skip_reasons_20200101T000000Z.csv",
    "skip_reasons/delivery_status_20200101T000000Z.csv",
    "skip_reasons/older/skip_reasons_20200101T000000Z.csv",
    "campaigns/campaigns_20200101T000000Z.csv",
    "mine/skip_reasons_20200101T000000Z.csv",
    "skip_reasons_20200101T000000Z.csv",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_files_with_other_names_are_not_pruned(paths, name):
    old = "skip_reasons/skip_reasons_20200101T000000Z.csv"
    export_file(paths, old)
    export_file(paths, name)
    assert prune(paths, 30, AT) == [old]
    assert remaining(paths) == {name}


def test_only_regular_files_are_pruned(paths, tmp_path):
    folder = paths.exports / "skip_reasons"
    kept = export_file(paths, "kept.csv")
    (folder / "skip_reasons_20200101T000000Z.csv").mkdir(parents=True)
    (folder / "skip_reasons_20200102T000000Z.csv").symlink_to(kept)
    (folder / "skip_reasons_20200103T000000Z.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "skip_reasons_20200104T000000Z.csv")
    assert prune(paths, 30, AT) == []
    assert len(list(folder.iterdir())) == 4
    assert kept.exists()


def test_a_report_folder_that_is_a_link_is_not_pruned(paths, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "skip_reasons_20200101T000000Z.csv").write_bytes(b"x")
    paths.exports.mkdir(parents=True)
    (paths.exports / "skip_reasons").symlink_to(elsewhere)
    (paths.exports / "delivery_status").write_bytes(b"no folder at all")
    assert prune(paths, 30, AT) == []
    assert len(list(elsewhere.iterdir())) == 1


def test_pruning_without_exports_does_nothing(paths):
    assert prune(paths, 30, AT) == []
    assert prune(paths, 30) == []


def test_a_new_export_is_not_pruned(published):
    published.publish()
    (written,) = published.export("skip_reasons")
    old = export_file(published.paths, "skip_reasons/skip_reasons_20200101T000000Z.csv")
    assert prune(published.paths, 1) == [f"skip_reasons/{old.name}"]
    assert (published.paths.exports / "skip_reasons" / written.file).exists()


class TestContactReports:
    """Reports with a row for each contact: what changed since the export before."""

    @staticmethod
    def contacts(**statuses: str) -> list[dict]:
        """A contact for each: `<campaign>_<contact>=<status>`."""
        return [
            {"campaign_id": name.partition("_")[0], "contact_id": name.partition("_")[2], "delivery_status": status}
            for name, status in statuses.items()
        ]

    def exported(self, published: Published, **options: bool) -> tuple[set[tuple[str, str]], dict]:
        (written,) = published.export("delivery_status", mode="raw", **options)
        path = published.paths.exports / "delivery_status" / written.file
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert described["rows"] == len(rows)
        return {(row["campaign_id"], row["contact_id"]) for row in rows}, described

    def test_the_first_export_holds_every_campaign_and_the_next_all_rows_of_changed_campaigns(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending", c1_b="delivered", c2_a="pending"))
        rows, first = self.exported(published)
        assert rows == {("c1", "a"), ("c1", "b"), ("c2", "a")}
        assert (first["campaigns"], first["changed_since"]) == ("all", None)
        published.publish("b2", delivery_status=self.contacts(c1_a="delivered", c1_b="delivered", c2_a="pending"))
        rows, second = self.exported(published)
        assert rows == {("c1", "a"), ("c1", "b")}
        assert (second["campaigns"], second["changed_since"]) == (["c1"], first["file"])

    def test_a_campaign_that_changed_and_changed_back_between_exports_is_unchanged(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending"))
        self.exported(published)
        published.publish("b2", delivery_status=self.contacts(c1_a="delivered"))
        published.publish("b3", delivery_status=self.contacts(c1_a="pending"))
        assert published.export("delivery_status", mode="raw") == [
            Unchanged("delivery_status", since=self._only_file(published))
        ]

    def test_in_another_mode_every_campaign_is_exported_again(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending", c2_a="pending"))
        published.export("delivery_status", mode="spreadsheet")
        rows, described = self.exported(published)
        assert (rows, described["campaigns"]) == ({("c1", "a"), ("c2", "a")}, ["c1", "c2"])

    def test_in_another_time_zone_every_campaign_is_exported_again_unless_files_are_raw(self, published, monkeypatch):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending", c2_a="pending"))
        for mode, is_unchanged in (("spreadsheet", False), ("raw", True)):
            published.export("delivery_status", mode=mode)
            monkeypatch.setenv("SENDMART_REPORT_TIMEZONE", "Asia/Kathmandu")
            (again,) = published.export("delivery_status", mode=mode)
            assert isinstance(again, Unchanged) is is_unchanged
            assert is_unchanged or again.campaigns == ["c1", "c2"]
            monkeypatch.setenv("SENDMART_REPORT_TIMEZONE", "UTC")

    def test_without_changes_no_file_is_written_and_the_build_counts_as_exported(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending"))
        self.exported(published)
        published.publish("b2", delivery_status=self.contacts(c1_a="pending"))
        assert published.ledger.exported_reports("b2") == set()
        assert published.export("delivery_status", mode="raw") == [
            Unchanged("delivery_status", since=self._only_file(published))
        ]
        assert published.ledger.exported_reports("b2") == {"delivery_status"}
        rows, described = self.exported(published, all_campaigns=True)
        assert (rows, described["campaigns"]) == ({("c1", "a")}, "all")

    def test_a_campaign_whose_rows_were_removed_is_listed(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending", c2_a="pending"))
        self.exported(published)
        published.publish("b2", delivery_status=self.contacts(c2_a="pending"))
        rows, described = self.exported(published)
        assert (rows, described["campaigns"]) == (set(), ["c1"])

    def test_unsubscribes_without_a_campaign_are_exported_when_they_change(self, published):
        nobody, somebody = {"contact_id": "k1", "campaign_id": None}, {"contact_id": "k2", "campaign_id": "c1"}
        published.publish("b1", attributed_unsubscribes=[somebody])
        published.export("attributed_unsubscribes")
        published.publish("b2", attributed_unsubscribes=[somebody, nobody])
        (written,) = published.export("attributed_unsubscribes")
        assert (written.rows, written.campaigns) == (1, [""])

    def test_a_build_of_release_0_2_is_compared_by_its_own_row_digests(self, published):
        published.publish("b1", release="0.2", delivery_status=self.contacts(c1_a="pending", c2_a="pending"))
        self.exported(published)
        published.publish("b2", delivery_status=self.contacts(c1_a="pending", c2_a="delivered"))
        rows, described = self.exported(published)
        assert (rows, described["campaigns"]) == ({("c2", "a")}, ["c2"])
        published.publish("b1", release="0.2", delivery_status=self.contacts(c1_a="pending", c2_a="pending"))
        rows, described = self.exported(published)
        assert (rows, described["campaigns"]) == ({("c2", "a")}, ["c2"]), "after a rollback"

    def test_a_build_without_row_digests_is_exported_with_every_campaign(self, published):
        published.publish("b1", delivery_status=self.contacts(c1_a="pending"))
        self.exported(published)
        published.publish("b2", release="0.1", delivery_status=self.contacts(c1_a="pending"))
        rows, described = self.exported(published)
        assert (rows, described["campaigns"]) == ({("c1", "a")}, "all")

    @staticmethod
    def _only_file(published: Published) -> str:
        (file,) = (published.paths.exports / "delivery_status").glob("*.csv")
        return file.name


def test_copies_on_request_are_pruned_like_other_exports(published):
    published.publish(campaign_metrics=[CAMPAIGN], skip_reasons=[{"campaign_id": "c1"}])
    written = [published.on_request("skip_reasons", "c1", of) for of in FileFormat]
    names = sorted(f"skip_reasons/{file.stem}.{of}" for file in written for of in (file.suffix[1:], "json"))
    assert prune(published.paths, 30, datetime.now(UTC) + timedelta(days=29)) == []
    assert prune(published.paths, 30, datetime.now(UTC) + timedelta(days=31)) == names
    assert remaining(published.paths) == set()


# On request

HOSTILE_IDS = [
    "../../etc/passwd",
    "a/b",
    "..",
    "=1+1",
    "c\n1",
    "' or 1=1 --",
    '"',
    "é" * 128,
    "+447700900123",
    "%s",
    "{x}",
]


@pytest.mark.parametrize("report", [report for report in ON_REQUEST if has_campaigns(report)])
def test_every_report_of_campaigns_can_be_exported_for_one_campaign(published, report):
    rows = [CAMPAIGN | {"campaign_id": campaign} for campaign in ("c1", "c2")]
    mart = [{"campaign_id": campaign} for campaign in ("c1", "c2")]
    published.publish(**{"campaign_metrics": rows, report: rows if report == "campaign_metrics" else mart})
    file = published.on_request(report, "c2")
    header, *actual = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
    assert [row[header.index("Campaign ID")] for row in actual] == ["c2"]
    described = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert (described["campaigns"], described["changed_since"], described["rows"]) == (["c2"], None, 1)


@pytest.mark.parametrize("report", [report for report in ON_REQUEST if not has_campaigns(report)])
def test_a_report_without_campaigns_is_exported_as_a_whole(published, report):
    published.publish(campaign_metrics=[CAMPAIGN], **{report: [{}]})
    with pytest.raises(ExportRefused, match=f"{report} has no rows of single campaigns: export it as a whole"):
        published.on_request(report, "c1")
    assert len(list(csv.reader(published.on_request(report).open(encoding="utf-8", newline="")))) == 2


@pytest.mark.parametrize("report", [report for report in ON_REQUEST if report in INSIGHTS])
def test_every_insight_can_be_exported_as_csv_and_as_a_spreadsheet(published, report):
    published.publish(**{report: [{}]})
    types = [column.sql_type for column in columns(report)]
    cells = {
        "varchar": "x",
        "timestamp": "2026-01-05 12:00:00",
        "double": "0.5",
        "decimal(18,2)": "1.50",
        "decimal(18,6)": "0.007500",
        "bigint": "7",
        "boolean": "true",
        "date": "2026-01-05",
    }
    _, row = csv.reader(published.on_request(report).open(encoding="utf-8", newline=""))
    assert row == [cells[sql_type] for sql_type in types]
    sheet = openpyxl.load_workbook(published.on_request(report, file_format=FileFormat.XLSX)).active
    values = SAMPLE_VALUE | {"date": datetime(2026, 1, 5), "decimal(18,2)": 1.5, "decimal(18,6)": 0.0075}
    assert [cell.value for cell in sheet[2]] == [values[sql_type] for sql_type in types]
    percentages = {cell.value for cell in sheet[1] if sheet.cell(2, cell.column).number_format == "0.00%"}
    assert percentages == {column.label for column in columns(report) if column.name in FRACTIONS}


FRACTIONS = {
    *("cost_coverage", "roi", "share_of_failures", "receipt_ratio", "final_ratio", "delivery_rate", "failure_rate"),
    *("baseline_rate", "human_click_to_delivered_rate", "share_of_clicks", "cumulative_click_share", "click_rate"),
    *("unsubscribe_rate", "unsubscribe_low", "unsubscribe_high", "conversion_rate_by_clickers"),
    *("conversion_rate_by_delivered", "conversion_rate_by_sent", "share"),
}
"""The columns of the insights that a spreadsheet shows as percentages."""


def test_an_insight_that_was_not_published_is_refused(published):
    report = next(report for report in ON_REQUEST if report in INSIGHTS)
    published.publish(campaign_metrics=[CAMPAIGN])
    with duckdb.connect(published.paths.published_marts) as connection:
        connection.execute(f"drop table {qualified(report)}")
    with pytest.raises(ExportRefused, match=f"the published build has no {report}: SENDMART_INSIGHTS was false"):
        published.export(report)


@pytest.mark.parametrize("campaign", HOSTILE_IDS)
def test_an_export_of_one_campaign_is_named_after_the_hash_of_its_id(published, campaign):
    known = [CAMPAIGN | {"campaign_id": campaign_id} for campaign_id in (campaign, "other")]
    published.publish(campaign_metrics=known, skip_reasons=[{"campaign_id": row["campaign_id"]} for row in known])
    for of in FileFormat:
        file = published.on_request("skip_reasons", campaign, of)
        digest = hashlib.sha256(campaign.encode()).hexdigest()[:12]
        moment = file.name.removeprefix(f"skip_reasons-{digest}_").removesuffix(f".{of}")
        assert datetime.strptime(moment, "%Y%m%dT%H%M%SZ")
        assert file.resolve().parent == published.paths.exports / "skip_reasons"
        described = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        assert (described["campaigns"], described["rows"], described["file"]) == ([campaign], 1, file.name)
        assert described["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_exports_of_the_same_second_have_their_own_descriptions(published):
    published.publish(campaign_metrics=[CAMPAIGN], skip_reasons=[{"campaign_id": "c1"}])
    files = [published.on_request("skip_reasons", "c1", of) for of in (*FileFormat, *FileFormat)]
    assert len({file.with_suffix("") for file in files}) == 4
    for file in files:
        assert json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["file"] == file.name


@pytest.mark.parametrize("campaign", ["nobody's", "", "C1", "c1 "])
def test_an_unknown_campaign_is_refused_and_nothing_is_written(published, campaign):
    published.publish(campaign_metrics=[CAMPAIGN])
    with pytest.raises(ExportRefused, match="knows no campaign"):
        published.on_request("skip_reasons", campaign)
    assert not published.paths.exports.exists()


@pytest.mark.parametrize("mart", ["campaigns", "campaign_metrics", "attributed_orders"])
def test_a_campaign_without_rows_in_a_report_is_exported_without_rows(published, mart):
    published.publish(**{mart: [{"campaign_id": "made only"}]})
    assert len(published.on_request("skip_reasons", "made only").read_text().splitlines()) == 1


def test_copies_on_request_do_not_change_the_next_scheduled_export(published):
    rows = [{"campaign_id": campaign, "message_id": campaign} for campaign in ("c1", "c2")]
    known = [CAMPAIGN | {"campaign_id": campaign} for campaign in ("c1", "c2")]
    published.publish("b1", campaign_metrics=known, skip_reasons=rows)
    (first,) = published.export("skip_reasons")
    published.publish("b2", campaign_metrics=known, skip_reasons=[*rows, {"campaign_id": "c1", "message_id": "m3"}])
    before = (published.ledger.exported_reports("b2"), published.ledger.exported_files("skip_reasons"))
    published.on_request("skip_reasons", "c1")
    published.on_request("skip_reasons", None, FileFormat.XLSX)
    published.on_request("attributed_orders").unlink()
    assert (published.ledger.exported_reports("b2"), published.ledger.exported_files("skip_reasons")) == before
    (second,) = published.export("skip_reasons")
    assert (second.campaigns, second.changed_since) == (["c1"], first.file)
    assert published.export("skip_reasons") == [Unchanged("skip_reasons", second.file)]


def test_a_table_is_exported_with_its_rows_columns_and_order_and_says_which(published):
    rows = [
        CAMPAIGN | {"campaign_id": name, "campaign_type": of, "revenue": Decimal(revenue), "last_sent_at": NOON}
        for name, of, revenue in (("c1", "SMS", 5), ("c2", "MMS", 7), ("c3", "SMS", 9), ("c4", "SMS", 6))
    ]
    published.publish(campaign_metrics=rows)
    link = {"type": "SMS", "from": "2026-01-05", "search": "sale +447700900123", "sort": "revenue"}
    table = campaign_table.TableQuery.of(link, ["revenue", "campaign_id"])
    database = PublishedDatabase(load_settings(), published.paths)
    with database.open() as opened:
        selection = campaign_table.rows_to_export(opened, replace(table, search="sale"), ZoneInfo("Asia/Tokyo"))
        masked_words = campaign_table.rows_to_export(opened, table, UTC).words
    before = published.ledger.exported_files("campaign_metrics")
    for file_format in FileFormat:
        (written,) = published.export("campaign_metrics", file_format=file_format, selection=selection)
        file = published.paths.exports / "campaign_metrics" / written.file
        if file_format is FileFormat.CSV:
            assert file.read_text(encoding="utf-8-sig") == (
                '"Campaign name",Revenue,"Campaign ID"\n"January sale",9.00,"c3"\n"January sale",6.00,"c4"\n'
                '"January sale",5.00,"c1"\n'
            )
        else:
            assert [cell.value for cell in sheet_of(file)["C"]] == ["Campaign ID", "c3", "c4", "c1"]
        shown = ["campaign_name", "revenue", "campaign_id"]
        assert (written.rows, written.campaigns, written.columns) == (3, ["c1", "c3", "c4"], shown)
        assert written.filter == "SMS campaigns that match “sale”, last sent since 2026-01-05"
        (listed,) = [file for file in exported_files(published.paths, 30) if file.file == written.file]
        assert (listed.filter, listed.campaign) == (written.filter, None)
    assert len(prune(published.paths, 30, datetime.now(UTC) + timedelta(days=31))) == 4, (
        "two files, each with its .json"
    )
    assert published.ledger.exported_files("campaign_metrics") == before
    assert "+44…23" in masked_words, "a number that somebody searched for"


# Spreadsheets


def sheet_of(file: Path):
    with file.open("rb") as opened:
        return openpyxl.load_workbook(opened).active


def test_a_spreadsheet_holds_text_numbers_and_dates_by_their_types(published):
    published.publish(campaign_metrics=[CAMPAIGN, CAMPAIGN | {"campaign_id": "c2", "campaign_name": None}])
    sheet = sheet_of(published.on_request("campaign_metrics", None, FileFormat.XLSX))
    header, first, second = sheet.iter_rows()
    assert [cell.value for cell in header] == WORDS["campaign_metrics"]
    assert sheet.freeze_panes == "A2"
    assert [cell.value for cell in first] == [
        NOON, "January sale", 0.25, 1 / 3, 1, 2, "ana", 12.5, 1234567, 3, 4, 5, 6, "SMS", 7, 8, "c1",
    ]  # fmt: skip
    assert "".join(cell.data_type for cell in first) == "dsnnnnsnnnnnnsnns"
    formats = {cell.number_format for cell in first if cell.data_type == "s"}
    assert formats == {"@"}, "text stays text when its cell is edited"
    assert (first[0].number_format, first[7].number_format) == ("yyyy-mm-dd hh:mm:ss", "#,##0.00")
    assert second[1].value is None


@pytest.mark.parametrize("mode", ["spreadsheet", "raw"])
def test_text_in_a_spreadsheet_is_never_a_formula_a_link_or_a_number(published, mode):
    texts = [
        *FORMULAS, *HARMLESS, "=cmd()", "{=1}", "http://x.example", "mailto:a@b", "007", "1e5", "+447700900123", "TRUE",
        " a ", "a\nb", "a\r\nb", "<b>&amp;", "<r><t>x</t></r>", "<r>", "_x0041_", "\x01", "\x1f", "\ufffe", "a" * 32_767, "😀",
    ]  # fmt: skip
    published.publish(skip_reasons=skipped(texts))
    published.export("skip_reasons", mode=mode)
    sheet = sheet_of(published.on_request("skip_reasons", None, FileFormat.XLSX))
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert [spelled_out(cell.value or "") for cell in cells] == texts


def spelled_out(text: str) -> str:
    """As Excel reads a cell: the library that reads here leaves control characters as the file spells them."""
    return re.sub(r"_x([0-9A-F]{4})_", lambda sign: chr(int(sign[1], 16)), text)


def test_the_columns_of_a_spreadsheet_are_as_wide_as_their_widest_cell(published):
    rows = [CAMPAIGN | {"campaign_id": "c2", "campaign_name": "x" * 33, "last_modified_by": "売" * 20}, CAMPAIGN]
    published.publish(campaign_metrics=rows, skip_reasons=skipped(["x" * 500]))
    widths = sheet_of(published.on_request("campaign_metrics", None, FileFormat.XLSX)).column_dimensions
    shown = {letter: round(widths[letter].width) for letter in "ABGIQ"}
    assert shown == {"A": 21, "B": 35, "G": 42, "I": 21, "Q": 16}, (
        "a time, texts, an amount below a long heading, a short id"
    )
    widths = sheet_of(published.on_request("skip_reasons", None, FileFormat.XLSX)).column_dimensions
    assert round(widths["B"].width) == xlsx.WIDEST + 1


def test_text_too_long_for_a_cell_is_cut(published):
    published.publish(skip_reasons=skipped(["a" * 40_000]))
    sheet = sheet_of(published.on_request("skip_reasons", None, FileFormat.XLSX))
    assert sheet["B2"].value == "a" * 32_767


def test_a_spreadsheet_without_rows_has_a_header(published):
    published.publish()
    sheet = sheet_of(published.on_request("delivery_status", None, FileFormat.XLSX))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [WORDS["delivery_status"]]


def test_more_rows_than_a_sheet_holds_are_refused(published, monkeypatch):
    published.publish(campaign_metrics=[CAMPAIGN], skip_reasons=[{"campaign_id": "c1"}, {"campaign_id": "c2"}])
    monkeypatch.setattr(xlsx, "MOST_ROWS", 1)
    with pytest.raises(ExportRefused, match=r"has 2 rows.*ask for one campaign, or for CSV"):
        published.on_request("skip_reasons", None, FileFormat.XLSX)
    assert not (published.paths.exports / "skip_reasons").exists() or remaining(published.paths) == set()
    assert sheet_of(published.on_request("skip_reasons", "c1", FileFormat.XLSX)).max_row == 2


def test_writing_a_spreadsheet_leaves_no_temporary_file(published):
    published.publish(skip_reasons=[{}])
    file = published.on_request("skip_reasons", None, FileFormat.XLSX)
    assert list(published.paths.transfers.iterdir()) == []
    assert sorted(published.paths.exports.rglob("*.*")) == sorted([file, file.with_suffix(".json")])


NUMBERS_IN_TEXT = [{"contact_id": "k1", "source": "text from +447700900123", "campaign_id": "c1"}]


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_a_copy_with_masked_phone_numbers_says_so_in_its_description(published, file_format):
    published.publish(
        campaign_metrics=[CAMPAIGN],
        skip_reasons=[{"campaign_id": "c1", "mobile_number": "+447700900123"}],
        attributed_unsubscribes=NUMBERS_IN_TEXT,
    )
    for report in ("skip_reasons", "attributed_unsubscribes"):
        for masks, description in ((False, "whole"), (True, "masked")):
            (copy,) = published.export(
                report, campaign="c1", file_format=file_format, masks_phone_numbers=masks, mode="raw"
            )
            path = published.paths.exports / report / copy.file
            assert json.loads(path.with_suffix(".json").read_text())["phone_numbers"] == description
            if file_format is FileFormat.XLSX:
                cells = [str(cell.value) for row in sheet_of(path).iter_rows() for cell in row]
            else:
                cells = [cell for row in csv.reader(path.open(encoding="utf-8", newline="")) for cell in row]
            assert any("0900123" in cell for cell in cells) is not masks
            assert any("+44…23" in cell for cell in cells) is masks


def test_the_description_of_a_report_without_phone_numbers_does_not_mention_them(published):
    published.publish(campaign_metrics=[CAMPAIGN])
    (written,) = published.export("campaign_metrics")
    assert written.phone_numbers is None


OTHER_SHAPES = [
    "",
    pytest.param("[" * 200_000, id="deeply nested"),
    "null",
    "[]",
    "7",
    '"text"',
    "{}",
    '{"rows": "many"}',
    '{"report": "skip_reasons"}',
]


@pytest.mark.parametrize("content", OTHER_SHAPES)
def test_an_export_whose_description_is_damaged_is_written_again(published, content):
    published.publish(skip_reasons=skipped(["a"]))
    (first,) = published.export("skip_reasons")
    path = published.paths.exports / "skip_reasons" / first.file
    assert read_description(path) == first
    path.with_suffix(".json").write_text(content, encoding="utf-8")
    (damaged,) = [file for file in exported_files(published.paths, 30) if file.file == first.file]
    assert (damaged.rows, damaged.campaigns, damaged.campaign) == (None, None, None)
    assert missing(load_settings(), published.paths, published.ledger, "skip_reasons") == [first.file]
    (again,) = published.export("skip_reasons")
    assert (again.campaigns, again.rows) == ("all", first.rows)
    assert missing(load_settings(), published.paths, published.ledger, "skip_reasons") == []
