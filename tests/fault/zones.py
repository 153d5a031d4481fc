"""A small landing zone in which a file of every log changes, its warehouse, and the outcome of a refresh.

With these, tests assert that after a fault readers see whole builds, and that the repeated refresh gives the outcome of a
refresh without the fault.

Not here: the faults (`tests/fault/test_*.py`).
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.oracle.landing_zones import write_landing_zone
from tests.running import all_marts, exported_rows, opened
from warehouse.config.settings import load_settings
from warehouse.export import REPORTS
from warehouse.landing import scan as landing_scan
from warehouse.storage import hash_of

SEED = 14
NEW_IN = Log.CLICKS
"""The log whose altered file is a new file."""

HALF_OF_THE_LOGS = tuple(Log)[::2]
Outcome = dict[str, Any]


class Zone:
    """A landing zone and its warehouse, which can be kept and restored. The folder stays the same, because dbt parses the
    project again if its paths change.

    `altered` has one file of every log, each changed in another way.
    """

    def __init__(self, folder: Path) -> None:
        self.landing, self.data, self._kept = folder / "landing", folder / "data", folder / "kept"
        whole = folder / "whole"
        write_landing_zone(whole, SEED, stories=40, refused=True, fault_share=0.3)
        everything = {file.relative_to(whole): file.read_bytes() for file in whole.rglob("*") if file.is_file()}
        self.altered = _altered(whole, everything)
        new = self.altered[NEW_IN]
        self.first = {path: content for path, content in everything.items() if path not in new}

    def warehouse(self) -> AppContext:
        return AppContext.of(load_settings())

    def drop(self, files: dict[Path, bytes]) -> None:
        for path, content in files.items():
            target = self.landing / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def drop_altered(self, logs: Iterable[Log] = tuple(Log)) -> None:
        for log in logs:
            self.drop(self.altered[log])

    def clear(self) -> None:
        """Deletes all files but dbt's parsed project."""
        shutil.rmtree(self.landing, ignore_errors=True)
        for path in self.data.glob("*"):
            if path.is_file():
                path.unlink()
            elif path.name != "warehouse":
                shutil.rmtree(path)
        for file in (self.data / "warehouse").glob("*.duckdb*"):
            file.unlink()

    def keep(self, name: str) -> None:
        for folder in (self.landing, self.data):
            shutil.copytree(folder, self.kept(name) / folder.name)

    def kept(self, name: str) -> Path:
        return self._kept / name

    def restore(self, name: str) -> None:
        for folder in (self.landing, self.data):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.kept(name) / folder.name, folder)


def _altered(whole: Path, everything: dict[Path, bytes]) -> dict[Log, dict[Path, bytes]]:
    """By log, the file that changes, with its new content."""
    by_log = {log: [file for file in landing_scan.scan(whole).files if file.log == log] for log in Log}

    def largest(log: Log, *suffixes: str) -> Path:
        files = [file.path for file in by_log[log] if file.path.name.endswith(suffixes)]
        return max(files, key=lambda path: (path.stat().st_size, path)).relative_to(whole)

    mended = next(file.path.relative_to(whole) for file in by_log[Log.CAMPAIGNS] if ".lacking.csv" in file.path.name)
    replaced, cut = largest(Log.SENDS, ".jsonl"), largest(Log.RECEIPTS, ".csv", ".jsonl")
    new, spoilt, emptied = largest(Log.CLICKS, ""), largest(Log.ORDERS, ".gz"), largest(Log.UNSUBSCRIBES, ".csv")
    rates = largest(Log.EXCHANGE_RATES, ".csv", ".jsonl")
    return {
        Log.CAMPAIGNS: {mended: everything[largest(Log.CAMPAIGNS, ".csv")]},
        Log.SENDS: {replaced: _lines(everything[replaced], 0.3) + _lines(everything[replaced], -0.3)},
        Log.RECEIPTS: {cut: _lines(everything[cut], 0.5)},
        Log.CLICKS: {new: everything[new]},
        Log.ORDERS: {spoilt: everything[spoilt][:-9]},
        Log.UNSUBSCRIBES: {emptied: b""},
        Log.EXCHANGE_RATES: {rates: _lines(everything[rates], 0.7)},
    }


def _lines(content: bytes, share: float) -> bytes:
    """The first lines of a file, or, with a negative share, the last."""
    lines = content.splitlines(keepends=True)
    some = round(len(lines) * abs(share))
    return b"".join(lines[:some] if share > 0 else lines[-some:])


# --- the outcome of a refresh


def outcome(warehouse: AppContext) -> Outcome:
    """Everything that a refresh writes, without times."""
    paths = warehouse.paths
    return {
        "marts": marts_of(paths.published_marts),
        "lake": contents_of(paths.lake),
        "quarantine": contents_of(paths.quarantine),
        "published quarantine": quarantine_of(paths.published_quarantine),
        "files": [
            (
                file.log,
                file.source_file,
                file.sha256,
                file.refusal,
                file.records,
                file.accepted,
                file.first_event,
                file.conflicting,
            )
            for file in warehouse.ledger.files()
        ],
        "exports": {report: exported_rows(paths, report) for report in REPORTS},
    }


_marts_of: dict[str, dict[str, Counter]] = {}
"""The rows of published files by SHA-256, read once: most kills leave the previous file."""


def marts_of(file: Path) -> dict[str, Counter]:
    digest = _sha256(file)
    if digest not in _marts_of:
        marts = all_marts(file)
        _marts_of[digest] = {mart: Counter(repr(sorted(row.items())) for row in marts[mart]) for mart in marts}
    return _marts_of[digest]


def contents_of(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in folder.glob("*/log_date=*/*.parquet")}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def quarantine_of(file: Path) -> Counter:
    with opened(file) as session:
        tables = [f"opened.{table}" for table in ("rejected_rows", "rejected_files", "key_conflicts")]
        return Counter(repr(row) for table in tables for row in session.execute(f"from {table}").fetchall())


def assert_same(warehouse: AppContext, expected: Outcome) -> None:
    plan = stages.plan_refresh(warehouse)
    assert plan.is_empty, plan
    assert json.loads(warehouse.paths.current.read_text())["marts"]["sha256"] == hash_of(
        warehouse.paths.published_marts
    )
    actual = outcome(warehouse)
    assert [name for name in expected if actual[name] != expected[name]] == []


def assert_nothing_half_done(warehouse: AppContext, builds: Iterable[Outcome]) -> None:
    """Readers see whole files, and the marts of one of these builds."""
    paths, expected_marts = warehouse.paths, [build["marts"] for build in builds]
    assert marts_of(paths.published_marts) in expected_marts
    if warehouse.ledger.candidate() is not None:
        assert marts_of(paths.candidate) in expected_marts, "a candidate is recorded only when it is complete"
    assert_whole(warehouse)


def assert_whole(warehouse: AppContext) -> None:
    """Each file of lake, quarantine, published marts and exports is whole."""
    paths = warehouse.paths
    marts_of(paths.published_marts)
    quarantine_of(paths.published_quarantine)
    for file in (*paths.lake.glob("*/*/*.parquet"), *paths.quarantine.glob("*/*/*.parquet")):
        pl.read_parquet_schema(file)
    for file in paths.exports.glob("*/*.csv"):
        description = json.loads(file.with_suffix(".json").read_bytes())
        assert description["sha256"] == _sha256(file)
