"""The landing zone: which names are log files, which are ignored, and which files are pending."""

import os
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.enums import Log
from warehouse.ingest.sources import load_sources
from warehouse.landing import LandingZoneMissing, LikelyFile, likely_file
from warehouse.landing import scan as landing_scan
from warehouse.landing.presence import check_presence
from warehouse.landing.proposals import IgnoredFiles
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import Ledger, LoadedFile
from warehouse.storage import FileStat

DAY = date(2026, 1, 5)
HOUR_NS = 3600 * 10**9


def drop(landing: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("extension", ["csv", "JSON", "jsonl.gz", "Ndjson.ZST", "csv.zstd", "PARQUET"])
@pytest.mark.parametrize(
    "name",
    [
        *(
            "2026-01-05",
            "2026-01-05.0",
            "2026-01-05.0002",
            "2026-01-05.gateway-eu.1",
            "2026-01-05.csv",
            "2026-01-05.part",
        ),
        *("2026-01-05/gateway-eu-1", "2026-01-05/any name, of. any kind", "2026-01-05/2026-01-06", "2026-01-05/日本"),
        *("date=2026-01-05/x", "dt=2026-01-05/hour=08/any/folder/x", "2026/01/05/x", "2026/01/05/08/30/2026-01-07"),
    ],
)
def test_a_log_file_is_recognised_by_its_path_in_the_folder_of_its_log(tmp_path, name, extension):
    drop(tmp_path, f"sends/{name}.{extension}")
    zone = scan(tmp_path)
    assert zone.files == (
        LandingFile(Log.SENDS, DAY, f"{name}.{extension}", tmp_path / "sends" / f"{name}.{extension}"),
    )
    assert zone.ignored == ()


@pytest.mark.parametrize("log", Log)
def test_every_log_has_a_folder_of_its_own(tmp_path, log):
    drop(tmp_path, f"{log}/2026-01-05.csv")
    zone = scan(tmp_path)
    assert [file.log for file in zone.files] == [log]
    assert zone.files_of(log) == list(zone.files)
    assert all(zone.files_of(other) == [] for other in Log if other != log)


@pytest.mark.parametrize(
    "name",
    [
        *("sends/2026-01-05.txt", "sends/2026-01-05", "sends/2026-01-05.gz", "sends/2026-01-05.csv.zip"),
        *("sends/2026-01-05.parquet.gz", "sends/2026-01-05csv", "sends/2026-01-05..csv", "sends/2026-01-05-1.csv"),
        *("sends/2026-1-5.csv", "sends/20260105.csv", "sends/05-01-2026.csv", "sends/x2026-01-05.csv", "sends/sends.csv"),
        *("sends/2026-02-30.csv", "sends/2026-13-01.csv", "sends/0000-01-01.csv", "sends/２０２６-01-05.csv"),
        *("sends/2026-02-30/a.csv", "sends/2026-01-05x/a.csv", "sends/latest/2026-01-05.csv", "sends/2026-01-05/a.txt"),
        *("sends/2026/02/30/a.csv", "sends/2026/1/5/a.csv", "sends/date=2026-02-30/a.csv", "sends/=2026-01-05/a.csv"),
        *("sends/eu/date=2026-01-05/a.csv", "sends/eu/2026/01/05/a.csv", "sends/date=2026-01-05", "sends/a=b=2026-01-05/a.csv"),
        *("sends/date=2026-01-05.csv", "sends/2026/01/05.csv", "sends/2026-01-05/eu/a.csv"),
        *("sends/2026-01-05.csv/a.csv", "sends/2026-01-05.csv.bz2", "2026-01-05.csv", "README.md", "SENDS", "sends.csv"),
        *("sends/2026-01-05/csv", "sends/date=2026-01-05/csv"),
    ],
)  # fmt: skip
def test_any_other_name_is_reported_as_ignored(tmp_path, name):
    drop(tmp_path, "clicks/2026-01-05.csv", name)
    zone = scan(tmp_path)
    assert [file.log for file in zone.files] == [Log.CLICKS]
    assert zone.ignored == (name,)


def test_folders_where_there_should_be_files_are_reported(tmp_path):
    drop(tmp_path, "deliveries/2026-01-05.csv", "sends/2026-01-05/eu/a.csv", "Sends/2026-01-05.csv")
    zone = scan(tmp_path)
    assert zone.files == ()
    assert zone.ignored == ("Sends/2026-01-05.csv", "deliveries/2026-01-05.csv", "sends/2026-01-05/eu/a.csv")


@pytest.mark.parametrize(
    "name",
    [
        *("sends/.2026-01-05.csv", "sends/_2026-01-05.csv", "sends/2026-01-05.csv.tmp", "sends/2026-01-05.csv.part"),
        *(
            "sends/2026-01-05/.a.csv",
            "sends/2026-01-05/_a.csv",
            "sends/2026-01-05/a.csv.tmp",
            "sends/2026-01-05/a.part",
        ),
        *("sends/_SUCCESS", "sends/.DS_Store", ".git/config", "_staging/2026-01-05.csv", "sends/2026-01-05/a.csv.part"),
        *("sends/_temporary/2026-01-05.csv", ".hidden", "x.part", "sends/date=2026-01-05/_temporary/0/a.csv"),
        *(
            "sends/2026/01/05/.spark-staging/a.csv",
            "sends/date=2026-01-05/_delta_log/0.json",
            "sends/_date=2026-01-05/a.csv",
        ),
    ],
)
def test_files_that_are_still_being_written_are_skipped(tmp_path, name):
    drop(tmp_path, "clicks/2026-01-05.csv", name)
    zone = scan(tmp_path)
    assert [file.log for file in zone.files] == [Log.CLICKS]
    assert zone.ignored == ()


LIKELY = {
    "clicks/20260105.jsonl": "clicks/2026-01-05.jsonl",
    "clicks/2026-1-5.csv": "clicks/2026-01-05.csv",
    "clicks/2026_01_05.CSV.gz": "clicks/2026-01-05.CSV.gz",
    "clicks/2026-01-05-2.csv": "clicks/2026-01-05.2.csv",
    "clicks/export_2026-01-05_eu.csv": "clicks/2026-01-05.export-eu.csv",
    "clicks/clicks-2026-01-05.csv": "clicks/2026-01-05.csv",
    "clicks_2026-01-05.csv": "clicks/2026-01-05.csv",
    "20260105-click.json": "clicks/2026-01-05.json",
    "Clicks/2026-01-05.csv": "clicks/2026-01-05.csv",
    "clicks/2026-01-05/eu/a.csv": "clicks/date=2026-01-05/eu/a.csv",
    "clicks/eu/date=2026-01-05/a.csv": "clicks/date=2026-01-05/eu/a.csv",
    "clicks/year=2026/month=01/day=05/a.csv": "clicks/2026-01-05/a.csv",
    "clicks/2026/1/5/a.csv": "clicks/2026-01-05/a.csv",
    "clicks/latest/2026-01-05.csv": "clicks/date=2026-01-05/latest/2026-01-05.csv",
    "clicks/2026-01-05.csv.zip": None,
    "clicks/2026-01-05.txt": None,
    "clicks/2026-01-05.csv": None,
}


@pytest.mark.parametrize(("name", "proposal"), LIKELY.items(), ids=LIKELY)
def test_an_ignored_file_seems_to_be_of_a_log_and_date_and_may_have_a_right_name(tmp_path, name, proposal):
    assert likely_file(name) == LikelyFile(Log.CLICKS, DAY, proposal)
    if proposal:
        drop(tmp_path, proposal)
        assert [(file.log, file.log_date) for file in scan(tmp_path).files] == [(Log.CLICKS, DAY)]


OF_SOURCES = {
    "shopify_orders/20260105.csv": "shopify_orders/2026-01-05.csv",
    "shopify_orders/orders_export_2026-01-05.csv.gz": "shopify_orders/2026-01-05.orders-export.csv.gz",
    "shopify_orders_2026-01-05.csv": "shopify_orders/2026-01-05.csv",
    "klaviyo_events/clicks-2026-01-05.jsonl": "klaviyo_events/2026-01-05.clicks.jsonl",
    "vonage_reports_csv/report-2026-01-05.csv": "vonage_reports_csv/2026-01-05.report.csv",
    "infobip_delivery_reports/20260105.jsonl": "infobip_delivery_reports/2026-01-05.jsonl",
    "aws_end_user_messaging/eu/20260105/a.json": "aws_end_user_messaging/eu/2026-01-05/2026-01-05.a.json",
    "twilio_console_csv/20260105.csv": None,
    "shopify_orders/2026-01-05.xlsx": None,
    "shopify_orders/today.csv": None,
}


@pytest.mark.parametrize(("name", "proposal"), OF_SOURCES.items(), ids=OF_SOURCES)
def test_an_ignored_file_in_the_folder_of_a_source_gets_a_name_that_the_source_reads(tmp_path, name, proposal):
    sources = load_sources()
    drop(tmp_path, name)
    zone = scan(tmp_path, sources=sources.values())
    assert zone.ignored == (name,)
    line = IgnoredFiles(zone).describe(name)
    source = sources[name.partition("/")[0] if "/" in name else "shopify_orders"].mapping
    assert line.startswith(f"{name}: the source {source.source} reads {source.files}")
    if proposal:
        assert line.endswith(f"; rename it to {proposal}")
        assert source.log_date(proposal) == DAY
    else:
        assert source.log_date(line.rpartition("such as ")[2]) == DAY


def test_a_file_in_the_folder_of_several_sources_gets_no_name(tmp_path):
    vonage = load_sources()["vonage_reports_csv"]
    other = vonage.mapping.model_copy(update={"source": "vonage_sms", "files": "vonage_reports_csv/sms-{date}.csv"})
    drop(tmp_path, "vonage_reports_csv/20260105.csv")
    zone = scan(tmp_path, sources=[vonage, replace(vonage, name="vonage_sms", mapping=other)])
    assert IgnoredFiles(zone).describe("vonage_reports_csv/20260105.csv") == (
        "vonage_reports_csv/20260105.csv: the source vonage_reports_csv reads vonage_reports_csv/{date}*.csv, and the source"
        " vonage_sms reads vonage_reports_csv/sms-{date}.csv, such as vonage_reports_csv/sms-2026-01-05.csv"
    )


def test_no_two_ignored_files_get_the_same_name_nor_that_of_another_file(tmp_path):
    drop(
        tmp_path,
        "orders/2026-01-05.csv",
        "orders/orders_2026-01-05.csv",
        "orders/20260105.csv",
        "orders/2026-01-05 .csv",
    )
    drop(tmp_path, "shopify_orders/2026-01-05.csv", "shopify_orders/20260105.csv", "orders/2026_01_05.json")
    zone = scan(tmp_path, sources=load_sources().values())
    ignored = IgnoredFiles(zone)
    proposals = {ignored.describe(name).rpartition("rename it to ")[2] for name in ignored.names}
    assert proposals == {
        *("orders/2026-01-05.1.csv", "orders/2026-01-05.2.csv", "orders/2026-01-05.3.csv", "orders/2026-01-05.json"),
        "shopify_orders/2026-01-05.1.csv",
    }
    drop(tmp_path, *proposals)
    assert set(scan(tmp_path, sources=load_sources().values()).ignored) == set(zone.ignored)


def test_files_in_a_folder_of_neither_a_log_nor_a_source_are_reported_one_by_one(tmp_path, monkeypatch):
    drop(tmp_path, "myexport/2026-11-21.csv", "myexport/deep/orders-2026-11-22.csv", "myexport/a.part", "other/.x")
    zone = scan(tmp_path)
    assert zone.ignored == ("myexport/2026-11-21.csv", "myexport/deep/orders-2026-11-22.csv", "other")
    first, second, third = (IgnoredFiles(zone).describe(name) for name in zone.ignored)
    assert first == (
        "myexport/2026-11-21.csv: myexport is the folder of neither a log nor a source (sendmart sources list)"
    )
    assert second.endswith("if it is in the contract of this log")
    assert third == "other: not named like a log file, or not readable"
    monkeypatch.setattr(landing_scan, "MAX_FILES_OF_UNKNOWN_FOLDER", 1)
    assert scan(tmp_path).ignored == ("myexport (more than 1 files)", "myexport/2026-11-21.csv", "other")


def test_folders_whose_names_end_like_files_that_are_being_written_are_read_or_reported(tmp_path):
    drop(tmp_path, "orders/date=2026-01-06/a.part/p.csv", "orders/x.tmp/2026-01-05.csv", "export.tmp/a.csv")
    zone = scan(tmp_path)
    assert [file.source_file for file in zone.files] == ["date=2026-01-06/a.part/p.csv"]
    assert zone.ignored == ("export.tmp/a.csv", "orders/x.tmp/2026-01-05.csv")


def test_a_landing_zone_without_a_folder_of_a_log_or_source_is_missing_where_files_were_before(tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "README.md").touch()
    check_presence(tmp_path, has_loaded_files=False)
    with pytest.raises(LandingZoneMissing, match="no folder of a log or a source"):
        check_presence(tmp_path, has_loaded_files=True)
    (tmp_path / "gateway").mkdir()
    check_presence(tmp_path, has_loaded_files=True, folders_of_sources=["gateway"])
    (tmp_path / "sends").mkdir()
    check_presence(tmp_path, has_loaded_files=True)


@pytest.mark.parametrize(
    "name",
    [
        *("clicks/2026-02-30.csv", "clicks/05-01-2026.csv", "clicks/today.csv", "2026-01-05.csv", "README.md"),
        *("clicks/2026-01-05_2026-01-06.csv", "sends_and_clicks_2026-01-05.csv", "clicks/202601051.csv"),
    ],
)
def test_a_name_that_can_be_read_in_several_ways_gives_no_proposal(name):
    assert likely_file(name) is None


def test_a_folder_that_links_to_one_above_it_is_reported_and_not_followed(tmp_path):
    drop(tmp_path, "sends/date=2026-01-05/eu/a.csv")
    (tmp_path / "sends/date=2026-01-05/eu/up").symlink_to(tmp_path / "sends")
    zone = scan(tmp_path)
    assert [file.source_file for file in zone.files] == ["date=2026-01-05/eu/a.csv"]
    assert zone.ignored == ("sends/date=2026-01-05/eu/up",)


def test_unprintable_names_are_reported_in_printable_form(tmp_path):
    (tmp_path / "sends").mkdir()
    path = os.fsencode(tmp_path / "sends") + b"/2026-01-05.\xff.csv"
    Path(os.fsdecode(path)).write_bytes(b"x")
    zone = scan(tmp_path)
    assert zone.files == ()
    assert zone.ignored == ("sends/2026-01-05.\\xff.csv",)


def test_files_are_ordered_by_log_date_and_name(tmp_path):
    names = ["2026-01-05.csv", "2026-01-05/b.csv", "2026-01-06.0.csv", "2026-01-06.1.jsonl"]
    drop(tmp_path, "clicks/2025-01-01.csv", "campaigns/2027-01-01.csv", *(f"sends/{name}" for name in reversed(names)))
    files = scan(tmp_path).files
    assert [file.log for file in files] == [Log.CAMPAIGNS, *[Log.SENDS] * 4, Log.CLICKS]
    assert [file.source_file for file in files[1:5]] == names


def test_a_missing_or_empty_landing_zone_has_no_files(tmp_path):
    (tmp_path / "empty" / "sends" / "2026-01-05").mkdir(parents=True)
    for landing in (tmp_path / "nowhere", tmp_path / "empty"):
        assert (scan(landing).files, scan(landing).ignored) == ((), ())


# Pending files


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "data" / "ledger.sqlite")


def landing_file(
    tmp_path: Path, content: bytes = b"x", hours_ago: float = 1, name: str = "2026-01-05.csv"
) -> LandingFile:
    """A log file with this content that was modified this long ago."""
    drop(tmp_path / "landing", f"sends/{name}", content=content)
    set_age(tmp_path / "landing" / "sends" / name, hours_ago)
    (file,) = [file for file in scan(tmp_path / "landing").files if file.source_file == name]
    return file


def set_age(path: Path, hours_ago: float) -> None:
    modified = time.time_ns() - int(hours_ago * HOUR_NS)
    os.utime(path, ns=(modified, modified))


def record_load(ledger: Ledger, file: LandingFile, sha256: str | None = None, stat: FileStat | None = None) -> None:
    """Records a file as loaded, with its own hash or another one."""
    loaded = LoadedFile(
        log=file.log,
        source_file=file.source_file,
        log_date=file.log_date,
        sha256=sha256 or file.sha256(),
        refusal=None,
        records=0,
        accepted=0,
        rejected=0,
        first_event=None,
        last_event=None,
        unknown_columns=(),
        loaded_at=datetime(2026, 1, 6, tzinfo=UTC),
    )
    ledger.record_files([(loaded, stat or file.stat())])


def recorded_mtime(tmp_path: Path) -> int:
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite") as connection:
        return connection.execute("select mtime_ns from files").fetchone()[0]


def test_a_file_that_was_never_loaded_is_pending(tmp_path, ledger):
    file = landing_file(tmp_path)
    assert ledger.pending_files([file]) == [file]
    record_load(ledger, file)
    other = landing_file(tmp_path, name="2026-01-06.csv")
    assert ledger.pending_files([file, other]) == [other]


def test_files_of_the_same_name_in_two_logs_are_two_files(tmp_path, ledger):
    file = landing_file(tmp_path)
    record_load(ledger, file)
    drop(tmp_path / "landing", "clicks/2026-01-05.csv")
    assert [file.log for file in ledger.pending_files(scan(tmp_path / "landing").files)] == [Log.CLICKS]


def test_a_file_with_the_recorded_stat_is_not_read(tmp_path, ledger):
    """It is recorded with a wrong hash: if it were read, it would be pending."""
    file = landing_file(tmp_path)
    record_load(ledger, file, sha256="another")
    assert ledger.pending_files([file]) == []


def test_a_file_loaded_right_after_its_modification_is_read_again(tmp_path, ledger):
    file = landing_file(tmp_path, hours_ago=0)
    record_load(ledger, file, sha256="another")
    assert ledger.pending_files([file]) == [file]


def test_a_file_modified_in_the_future_is_read_each_time(tmp_path, ledger):
    file = landing_file(tmp_path, hours_ago=-1)
    record_load(ledger, file, sha256="another")
    assert ledger.pending_files([file]) == [file]


def test_a_fresh_file_with_the_same_content_is_trusted_later(tmp_path, ledger):
    file = landing_file(tmp_path, hours_ago=0)
    record_load(ledger, file)
    assert ledger.pending_files([file]) == []
    set_age(file.path, hours_ago=1)
    assert ledger.pending_files([file]) == []
    assert recorded_mtime(tmp_path) == file.path.stat().st_mtime_ns


@pytest.mark.parametrize("content", [b"y", b"xy", b""], ids=["same size", "larger", "empty"])
@pytest.mark.parametrize("hours_ago", [0, 1, 48])
def test_a_file_with_other_content_is_pending(tmp_path, ledger, content, hours_ago):
    file = landing_file(tmp_path, b"x")
    record_load(ledger, file)
    file.path.write_bytes(content)
    set_age(file.path, hours_ago)
    assert ledger.pending_files([file]) == [file]


def test_a_file_replaced_with_the_same_size_and_times_is_pending(tmp_path, ledger):
    file = landing_file(tmp_path, b"x")
    record_load(ledger, file)
    modified = file.path.stat().st_mtime_ns
    replacement = tmp_path / "replacement"
    replacement.write_bytes(b"y")
    os.utime(replacement, ns=(modified, modified))
    replacement.replace(file.path)
    assert file.path.stat().st_mtime_ns == modified
    assert ledger.pending_files([file]) == [file]


def test_a_touched_file_is_not_pending_and_its_new_stat_is_recorded(tmp_path, ledger):
    file = landing_file(tmp_path, hours_ago=2)
    record_load(ledger, file)
    set_age(file.path, hours_ago=1)
    assert recorded_mtime(tmp_path) != file.path.stat().st_mtime_ns
    assert ledger.pending_files([file]) == []
    assert recorded_mtime(tmp_path) == file.path.stat().st_mtime_ns


@pytest.mark.parametrize("differing", ["size", "mtime_ns", "ctime_ns", "inode"])
def test_any_difference_in_the_stat_makes_the_file_be_read(tmp_path, ledger, differing):
    file = landing_file(tmp_path)
    recorded = vars(file.stat()) | {differing: getattr(file.stat(), differing) - 10**10}
    record_load(ledger, file, sha256="another", stat=FileStat(**recorded))
    assert ledger.pending_files([file]) == [file]


def test_verify_reads_every_file_and_finds_a_change_that_no_stat_shows(tmp_path, ledger):
    same, changed = landing_file(tmp_path), landing_file(tmp_path, name="2026-01-06.csv")
    record_load(ledger, same)
    record_load(ledger, changed, sha256="the previous content with the same stat")
    assert ledger.pending_files([same, changed]) == []
    assert ledger.pending_files([same, changed], verify=True) == [changed]


def test_a_file_that_disappeared_after_the_scan_is_not_pending(tmp_path, ledger):
    gone, new = landing_file(tmp_path), landing_file(tmp_path, name="2026-01-06.csv")
    gone.path.unlink()
    assert ledger.pending_files([gone, new]) == [new]
    drop(tmp_path / "landing", "sends/2026-01-05.csv")
    record_load(ledger, gone)
    gone.path.unlink()
    assert ledger.pending_files([gone, new], verify=True) == [new]
