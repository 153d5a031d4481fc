"""Erasure: figures stay what they were, nobody can be found any more, and nobody comes back with a late file."""

import glob
import hashlib
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import duckdb
import pytest

from models.enums import Log
from models.marts import CONTACT_REPORTS, INSIGHTS
from orchestration import stages
from orchestration.stages import AppContext
from tests.contact_search import CONTACT, NUMBER, copy_warehouse, files_with_contact
from tests.running import RefreshedWarehouse, all_marts, exported_rows, quarantine_rows
from warehouse.config import DataPaths
from warehouse.erasure import SPREADSHEETS, erase
from warehouse.export import ON_REQUEST, FileFormat, campaign_hash
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged, find_damaged

REPORTS = [report for report in ON_REQUEST if report not in INSIGHTS]

SENT, CREDITED, ANOTHER = "c84-0Z", "never84", "c0-1É"
"""Campaigns of it: sent to the contact, credited with its order, and one that has nothing to do with it."""

BROKEN = f'{CONTACT},"unclosed\n{CONTACT},yesterday,{NUMBER},reply\nnobody,{NUMBER},,\nk1,tomorrow,,link\n'


@pytest.fixture(scope="module")
def warehouse(refreshed_wide: RefreshedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> AppContext:
    """The wide case; broken rows, a kept build, an audit page, a check's words and what kills left half written name the
    contact as well.
    """
    copy = copy_warehouse(refreshed_wide, tmp_path_factory.mktemp("erasure"))
    (copy.settings.landing / "unsubscribes" / "2026-01-14.csv").write_text(
        f"contact_id,unsubscribed_at,mobile_number,source\n{BROKEN}"
    )
    stages.load_changed(copy, Log.UNSUBSCRIBES)
    os.link(copy.paths.published_marts, copy.paths.kept_builds / "kept.duckdb")
    copy.paths.audits.mkdir(exist_ok=True)
    (copy.paths.audits / "kept.html").write_bytes(
        f"<td>{CONTACT}</td><td>{NUMBER}</td>".encode() + b"<td>damaged: \xff</td>"
    )
    for half_written in ("published/.sendmart.duckdb.tmp.wal", "exports/delivery_status/.delivery_status.csv.tmp"):
        (copy.paths.data / half_written).write_text(f"{CONTACT},{NUMBER}")
    copy.paths.dbt_dev.mkdir()
    shutil.copy(copy.paths.candidate, copy.paths.dbt_dev / "candidate.duckdb")
    for of in FileFormat:
        for campaign in (SENT, CREDITED, ANOTHER):
            stages.export_reports(copy, REPORTS, campaign=campaign, file_format=of)
    with sqlite3.connect(copy.paths.ledger) as ledger:
        ledger.execute("update checks set detail = ?", [f"failed for contact_id {CONTACT}; {NUMBER}."])
    return copy


def _spreadsheets(warehouse: AppContext, report: str, campaign: str) -> list[Path]:
    return list((warehouse.paths.exports / report).glob(f"{report}-{campaign_hash(campaign)}_*.xlsx"))


@pytest.fixture(scope="module")
def erasure(warehouse: AppContext) -> stages.Erasure:
    assert files_with_contact(warehouse.paths.data), "it is there to be erased"
    return stages.erase_contact(warehouse, CONTACT, "request 7")


def _tokens(warehouse: AppContext) -> dict[str, str]:
    return {tombstone.kind: tombstone.token for tombstone in warehouse.ledger.erased()}


def _with_tokens(marts: dict[str, list[dict]], tokens: dict[str, str]) -> dict[str, list[dict]]:
    def read(row: dict) -> dict:
        is_erased = row.get("contact_id") == CONTACT
        values = {CONTACT: tokens["contact"], NUMBER: tokens["number"]}
        row = {name: values.get(value, value) if isinstance(value, str) else value for name, value in row.items()}
        return row | {"source": None} if is_erased and "source" in row else row

    return {mart: [read(row) for row in rows] for mart, rows in marts.items()}


def _sorted(marts: dict[str, list[dict]]) -> dict[str, list[str]]:
    return {mart: sorted(map(repr, rows)) for mart, rows in marts.items()}


def test_no_file_holds_the_contact_or_its_number(warehouse: AppContext, erasure: stages.Erasure) -> None:
    assert files_with_contact(warehouse.paths.data) == set()
    assert min(erasure.rewritten.values()) > 0, erasure.rewritten
    assert "unsubscribes/2026-01-14.csv" in erasure.still_in_landing
    assert all((warehouse.settings.landing / name).exists() for name in erasure.still_in_landing)


def test_published_builds_and_exports_hold_tokens_and_the_same_figures(
    warehouse: AppContext, erasure: stages.Erasure, refreshed_wide: RefreshedWarehouse
) -> None:
    before = _with_tokens(all_marts(refreshed_wide.warehouse.paths.published_marts), _tokens(warehouse))
    assert _sorted(all_marts(warehouse.paths.published_marts)) == _sorted(before)
    kept_build = warehouse.paths.kept_builds / "kept.duckdb"
    assert kept_build.stat().st_ino == warehouse.paths.published_marts.stat().st_ino
    for report in ("delivery_status", "attributed_unsubscribes", "skip_reasons"):
        was = exported_rows(refreshed_wide.warehouse.paths, report)
        tokens = {CONTACT: _tokens(warehouse)["contact"], f"'{NUMBER}": f"'{_tokens(warehouse)['number']}"}
        expected = [
            {name: tokens.get(value, value) for name, value in row.items()}
            | ({"source": ""} if row["contact_id"] == CONTACT and "source" in row else {})
            for row in was
        ]
        assert exported_rows(warehouse.paths, report) == sorted(expected, key=lambda row: list(row.values()))
        for file in (warehouse.paths.exports / report).glob("*.csv"):
            description = json.loads(file.with_suffix(".json").read_text())
            assert description["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_csv_copies_are_rewritten_and_every_spreadsheet_of_a_contact_level_report_is_deleted(
    warehouse: AppContext, erasure: stages.Erasure
) -> None:
    """Also the spreadsheets of a campaign that the contact has nothing to do with: no spreadsheet is read."""
    contact_reports = {*CONTACT_REPORTS, "attributed_orders", "suppressed_numbers"}
    deleted = {
        (report, campaign)
        for report in REPORTS
        for campaign in (SENT, CREDITED, ANOTHER)
        if not _spreadsheets(warehouse, report, campaign)
    }
    assert deleted == {(report, campaign) for report in contact_reports for campaign in (SENT, CREDITED, ANOTHER)}
    assert erasure.rewritten[SPREADSHEETS] == len(deleted)
    for report in REPORTS:
        files = {file.stem: file.suffix for file in (warehouse.paths.exports / report).glob("*.[cx]*")}
        described = {file.stem for file in (warehouse.paths.exports / report).glob("*.json")}
        assert files.keys() == described
    (orders,) = (warehouse.paths.exports / "attributed_orders").glob(f"*-{campaign_hash(CREDITED)}_*.csv")
    assert _tokens(warehouse)["contact"] in orders.read_text(encoding="utf-8")


def test_rejected_rows_keep_their_row_number_and_reasons(warehouse: AppContext, erasure: stages.Erasure) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse.paths.published_quarantine}' as q (read_only)")
        rows = connection.execute(
            "select row_number, len(reasons) > 0, raw_row from q.rejected_rows"
            " where source_file = '2026-01-14.csv' and log = 'unsubscribes' order by 1"
        ).fetchall()
    assert rows == [(1, True, "erased"), (2, True, "erased"), (3, True, "erased"), (4, True, "k1,tomorrow,,link")]


def test_key_conflicts_are_the_same_with_tokens(
    warehouse: AppContext, erasure: stages.Erasure, refreshed_wide: RefreshedWarehouse
) -> None:
    conflicts = quarantine_rows(warehouse.paths.published_quarantine, "key_conflicts")
    assert conflicts == quarantine_rows(refreshed_wide.warehouse.paths.published_quarantine, "key_conflicts") != []
    sends = f"read_parquet('{refreshed_wide.warehouse.paths.lake}/sends/*/*.parquet', hive_partitioning = false)"
    hashes = f"select hash(message_id, contact_id, mobile_number) from {sends} where contact_id = '{CONTACT}'"
    counts = []
    for paths in (refreshed_wide.warehouse.paths, warehouse.paths):
        with duckdb.connect(str(paths.key_index), read_only=True) as index:
            counts.append(index.execute(f"select count(*) from sends where row_hash in ({hashes})").fetchall()[0][0])
    assert (counts[0] > 0, counts[1]) == (True, 0)


def test_dropping_a_file_again_does_not_bring_an_erased_contact_back(
    warehouse: AppContext, erasure: stages.Erasure, refreshed_wide: RefreshedWarehouse
) -> None:
    """The builds: in full after the erasure, then incremental over what came late, then in full again."""
    tokens = _tokens(warehouse)
    stages.build_candidate(warehouse)
    before = _with_tokens(all_marts(refreshed_wide.warehouse.paths.published_marts), tokens)
    assert _sorted(all_marts(warehouse.paths.candidate)) == _sorted(before)
    sends = warehouse.settings.landing / "sends"
    header = "message_id,campaign_id,contact_id,mobile_number,sent_at,segments"
    late = f"late-1,late,{CONTACT},{NUMBER},2026-01-15T10:00:00Z,1\nlate-2,late,{CONTACT},+4477999999,2026-01-15T11:00:00Z,1\n"
    (sends / "2026-01-15.csv").write_text(f"{header}\n{late}late-3,late,somebody,{NUMBER},2026-01-15T11:00:00Z,1\n")
    orders = warehouse.settings.landing / "orders" / "2026-01-09.1.jsonl"
    orders.write_text(orders.read_text() + orders.read_text().splitlines()[-1] + "\n")
    stages.load_changed(warehouse, Log.ORDERS)
    stages.load_changed(warehouse, Log.SENDS)
    assert files_with_contact(warehouse.paths.data) == set()
    assert not warehouse.ledger.is_erasing()
    stages.build_candidate(warehouse)
    incremental = all_marts(warehouse.paths.candidate)
    late = [row for row in incremental["delivery_status"] if row["campaign_id"] == "late"]
    assert {(row["contact_id"], row["messages_sent"]) for row in late} == {(tokens["contact"], 2), ("somebody", 1)}
    assert {row["mobile_number"] for row in late if row["contact_id"] == "somebody"} == {tokens["number"]}
    stages.build_candidate(warehouse, full_refresh=True)
    assert _sorted(all_marts(warehouse.paths.candidate)) == _sorted(incremental)


def test_erasing_twice_does_nothing(warehouse: AppContext, erasure: stages.Erasure) -> None:
    assert stages.erase_contact(warehouse, CONTACT, "request 8") is None


@pytest.mark.parametrize(
    "broken_off_at", ["erase_log", "erase_quarantine_file", "erase_build", "erase_csv_exports", "delete_spreadsheets"]
)
def test_an_interrupted_erasure_is_finished_by_the_next_refresh(
    broken_off_at: str, refreshed_wide: RefreshedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_warehouse(refreshed_wide, tmp_path)
    with monkeypatch.context() as patch:
        owner = erase._Eraser if hasattr(erase._Eraser, broken_off_at) else erase
        erase_part = getattr(owner, broken_off_at)

        def once_then_killed(*arguments):
            erase_part(*arguments)
            raise KeyboardInterrupt

        patch.setattr(owner, broken_off_at, once_then_killed)
        with pytest.raises(KeyboardInterrupt):
            stages.erase_contact(copy, CONTACT, "")
    assert copy.ledger.is_erasing()
    stages.finish_erasures(copy)
    assert files_with_contact(copy.paths.data) == set()
    assert not copy.ledger.is_erasing()


def test_damaged_files_of_lake_and_quarantine_are_loaded_again_without_the_contact(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    """A file that is rewritten with tokens gets a new checksum, so damage in it must not be rewritten."""
    copy = copy_warehouse(refreshed_wide, tmp_path)
    lost, *others = (file for file in copy.ledger.files(Log.SENDS) if file.accepted)
    flipped, cut = (lake_tables.path_of(copy.paths.lake, file) for file in others[:2])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 0xFF
    flipped.write_bytes(content)
    rejected = next(copy.paths.quarantine.rglob("*.parquet"))
    for file in (cut, rejected):
        os.truncate(file, file.stat().st_size // 2)
    stages.erase_contact(copy, CONTACT, "request 9")
    assert files_with_contact(copy.paths.data) == set()
    for log in Log:
        stages.load_changed(copy, log)
    assert files_with_contact(copy.paths.data) == set()
    assert find_damaged(copy.paths, copy.ledger, verify_checksums=True) == []
    original = refreshed_wide.warehouse.paths
    assert _lake_rows(copy.paths, _tokens(copy)) == _lake_rows(original, _tokens(copy))

    (copy.settings.landing / "sends" / lost.source_file).unlink()
    lake_tables.path_of(copy.paths.lake, lost).write_bytes(b"")
    with pytest.raises(LakeDamaged, match=re.escape(lost.source_file)):
        stages.erase_contact(copy, "somebody", "request 10")
    assert copy.ledger.is_erasing()


def _lake_rows(paths: DataPaths, tokens: dict[str, str]) -> list[str]:
    """The sends in a lake, with tokens in place of the erased values."""
    files = f"{glob.escape(str(paths.lake))}/sends/*/*.parquet"
    values = {CONTACT: tokens["contact"], NUMBER: tokens["number"]}
    rows = duckdb.execute("from read_parquet(?, union_by_name = true, hive_partitioning = false)", [files]).fetchall()
    return sorted(repr([values.get(value, value) for value in row]) for row in rows)


def test_without_the_hash_key_nothing_is_erased_or_loaded(refreshed_wide: RefreshedWarehouse, tmp_path: Path) -> None:
    copy = copy_warehouse(refreshed_wide, tmp_path)
    stages.erase_contact(copy, "nobody", "")
    copy.paths.hash_key.write_text("0" * 64)
    for attempt in (lambda: stages.erase_contact(copy, CONTACT, ""), lambda: stages.load_changed(copy, Log.SENDS)):
        with pytest.raises(OSError, match="not the key that was used before"):
            attempt()
