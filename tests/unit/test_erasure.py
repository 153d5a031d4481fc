"""Erasing with damaged exports, builds and audit pages: they stop no erasure, and none stays that may hold the contact.

Not here: erasing from a whole warehouse, and from its lake (`tests.pipeline.test_erasure`).
"""

import csv
import hashlib
import logging
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from models.marts import columns
from warehouse.config import DataPaths, Settings
from warehouse.erasure import erase_contacts
from warehouse.export import Export, Layout, read_description, write_description
from warehouse.lake.tables import ensure_lake
from warehouse.ledger import Ledger
from warehouse.privacy import contact_token, load_erasure_index, load_keyed_hash

CONTACT, NUMBER = "person-84", "+447700900841"
REPORT = "delivery_status"
HEADER = ",".join(column.name for column in columns(REPORT))
ROWS = [
    f"{campaign},{contact},{number},delivered,1,m1,2026-01-05T10:00:00Z,2026-01-05T10:00:00Z,x,DELIVRD,"
    for campaign, contact, number in (("c1", "another", "+447700900123"), ("c1", CONTACT, NUMBER), ("c2", CONTACT, ""))
]
WHOLE = "\n".join([HEADER, *ROWS, ""]).encode()

DAMAGED_EXPORTS = {
    "empty": b"",
    "other bytes": WHOLE.replace(b"another", b"an\xff\xfeher"),
    "bytes of nothing": WHOLE[:-40] + bytes(40),
    "cut in a row": WHOLE[:-60],
    "another header": WHOLE.replace(b"contact_id", b"contbct_id"),
    "a repeated header": WHOLE.replace(b"campaign_id", b"contact_id", 1),
    "SQL in the header": WHOLE.replace(b"messages_sent", b"m) or (true", 1),
    "an open quote": WHOLE.replace(b"c2", b'"c2'),
    "a database": b"DUCK" + os.urandom(5000),
}


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    paths = DataPaths(tmp_path / "data")
    for folder in (paths.exports / REPORT, paths.kept_builds, paths.audits):
        folder.mkdir(parents=True)
    return paths


def _erase(paths: DataPaths) -> dict[str, int]:
    ledger = Ledger(paths.ledger)
    ensure_lake(paths)
    hashes = load_keyed_hash(paths, ledger)
    ledger.record_erasure("", hashes.of(CONTACT), contact_token())
    index = load_erasure_index(paths, ledger)
    index.add_numbers(CONTACT, [hashes.of(NUMBER)])
    return erase_contacts(Settings(data=paths.data), paths, ledger, index)


def _write_build(file: Path) -> None:
    with duckdb.connect(str(file)) as build:
        build.execute("create schema marts")
        build.execute(
            f"create table marts.{REPORT} as select '{CONTACT}' as contact_id, '{NUMBER}' as mobile_number, 1 as messages_sent"
            " union all select md5(n::varchar), '+44' || (7700000000 + n), n from range(50_000) numbers(n)"
        )


def _files_that_name_the_contact(folder: Path) -> list[str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return [file.name for file in files if any(text.encode() in file.read_bytes() for text in (CONTACT, NUMBER))]


def test_damaged_exports_are_deleted_and_others_rewritten(
    paths: DataPaths, bare_environment: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the damage is seen in the file itself, or only by the SHA-256 in its `.json`."""
    folder = paths.exports / REPORT
    (folder / "whole.csv").write_bytes(WHOLE)
    (folder / "without rows.csv").write_text(f"{HEADER}\n")
    for name, content in DAMAGED_EXPORTS.items():
        (folder / f"{name}.csv").write_bytes(content)
    described = folder / "flipped.csv"
    described.write_bytes(WHOLE.replace(b"another", b"anothes"))
    sha256 = hashlib.sha256(WHOLE).hexdigest()
    description = Export(REPORT, described.name, "build", "2026-01-06T00:00:00Z", 3, sha256, "all", None)
    for file in (described, folder / "whole.csv"):
        write_description(paths, file, description)
    os.mkfifo(folder / "pipe.csv")

    with caplog.at_level(logging.WARNING):
        rewritten = _erase(paths)
    assert {file.name for file in folder.iterdir()} == {"whole.csv", "whole.json", "without rows.csv"}
    assert rewritten["exports"] == len(DAMAGED_EXPORTS) + 3
    assert _files_that_name_the_contact(paths.data) == []
    rows = (folder / "whole.csv").read_text().splitlines()
    assert (rows[:2], len(rows)) == ([HEADER, ROWS[0]], 4)
    assert (
        read_description(folder / "whole.csv").sha256 == hashlib.sha256((folder / "whole.csv").read_bytes()).hexdigest()
    )
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(DAMAGED_EXPORTS) + 2
    assert not any(CONTACT in message or NUMBER in message for message in messages)


def test_a_file_for_people_keeps_its_headings_its_byte_order_mark_and_its_marked_text(
    paths: DataPaths, bare_environment: Path
) -> None:
    zone = Layout(is_raw=False, zone=ZoneInfo("Asia/Kathmandu"))
    header = ",".join(
        f'"{heading}"' if column.sql_type == "varchar" else heading
        for column in columns(REPORT)
        for heading in [zone.heading(REPORT, column)]
    )
    row = '"\'=c1","{contact}","\'{number}","delivered",1,"m1",2026-01-05 15:45:00,2026-01-05 15:45:00,"x","DELIVRD",\n'
    kept, erased = row.format(contact="another", number="+447700900123"), row.format(contact=CONTACT, number=NUMBER)
    file = paths.exports / REPORT / "for people.csv"
    file.write_bytes(f"\ufeff{header}\n{kept}{erased}".encode())
    _erase(paths)
    shown = file.read_text(encoding="utf-8")
    assert shown.startswith(f"\ufeff{header}\n{kept}")
    assert len(shown.splitlines()) == 3
    before, (_, contact, number, *after) = (next(csv.reader([line])) for line in (erased, shown.splitlines()[2]))
    assert (contact != CONTACT, number[:2], number[1:] != NUMBER, after) == (True, "'+", True, before[3:])


def test_damaged_builds_are_deleted_and_others_rewritten(
    paths: DataPaths, bare_environment: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = paths.kept_builds / "whole.duckdb"
    _write_build(whole)
    content = whole.read_bytes()
    (paths.kept_builds / "empty.duckdb").write_bytes(b"")
    (paths.kept_builds / "garbage.duckdb").write_bytes(b"no database" * 1000)
    (paths.kept_builds / "cut.duckdb").write_bytes(content[: len(content) // 2])
    (paths.kept_builds / "blocks.duckdb").write_bytes(content[:12288] + os.urandom(len(content) - 12288))
    in_the_middle = bytearray(content)
    for position in range(12288 + 4096, len(content), 100_000):
        in_the_middle[position] ^= 0xFF
    paths.published_marts.write_bytes(in_the_middle)
    os.link(paths.published_marts, paths.kept_builds / "published.duckdb")

    with caplog.at_level(logging.WARNING):
        rewritten = _erase(paths)
    assert [file.name for file in paths.published.rglob("*.duckdb*")] == ["whole.duckdb"]
    assert rewritten["published builds"] == 6
    assert _files_that_name_the_contact(paths.data) == []
    with duckdb.connect(str(whole), read_only=True) as build:
        assert build.execute(f"select count(*), sum(messages_sent) from marts.{REPORT}").fetchall() == [
            (50_001, 1 + 50_000 * 49_999 // 2)
        ]
    assert len([record for record in caplog.records if "is damaged and is deleted" in record.getMessage()]) == 5


def test_an_audit_page_that_is_no_file_stops_no_erasure(paths: DataPaths, bare_environment: Path) -> None:
    os.mkfifo(paths.audits / "pipe.html")
    (paths.audits / "page.html").write_text(f"<td>{CONTACT}</td>")
    assert _erase(paths)["audit pages"] == 1
