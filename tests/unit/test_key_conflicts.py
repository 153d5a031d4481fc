"""Key conflicts: which rows are in conflict, and that an update finds what a new index finds."""

import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from models.enums import Log
from orchestration.stages import AppContext
from orchestration.stages.quarantine import publish_quarantine
from tests.running import environment, environment_of
from tests.unit.test_load import LoadFolder
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import small_session
from warehouse.quarantine import update_key_conflicts, write_published_quarantine

HEADERS = {
    Log.SENDS: "message_id,campaign_id,contact_id,mobile_number,sent_at,segments,skip_reason",
    Log.CLICKS: "click_id,campaign_id,contact_id,clicked_at",
    Log.ORDERS: "order_id,contact_id,ordered_at,total,currency,status,updated_at",
}


def line(log: Log, key: str, contact: str, number: str = "+447700900001", skip_reason: str = "") -> str:
    return {
        Log.SENDS: f"{key},c1,{contact},{number},2026-01-05T08:00,1,{skip_reason}",
        Log.CLICKS: f"{key},c1,{contact},2026-01-05T08:00",
        Log.ORDERS: f"{key},{contact},2026-01-05T08:00,1,USD,placed,2026-01-05T08:00",
    }[log]


class Warehouse(LoadFolder):
    """A landing zone, its lake, and the key conflicts after the last update."""

    def write(self, log: Log, name: str, *lines: str) -> None:
        self.drop(name, "\n".join([HEADERS[log], *lines, ""]).encode(), log)

    def update(self) -> None:
        for log in HEADERS:
            self.load(log=log)
        update_key_conflicts(load_settings(), self.paths, self.ledger)

    def conflicts(self) -> list[tuple]:
        write_published_quarantine(self.settings, self.paths, [])
        return self.published_conflicts()

    def published_conflicts(self) -> list[tuple]:
        with duckdb.connect(str(self.paths.published_quarantine), read_only=True) as connection:
            return connection.execute('select log, "key", "rows", "values" from key_conflicts order by all').fetchall()

    def conflicting(self) -> dict[str, int]:
        return {f"{f.log}/{f.source_file}": f.conflicting for f in self.ledger.files() if f.conflicting}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        yield Warehouse(tmp_path)


def test_rows_with_one_key_and_several_contacts_are_in_conflict(warehouse: Warehouse) -> None:
    warehouse.write(
        Log.SENDS,
        "2026-01-05.csv",
        line(Log.SENDS, "same", "a"),
        line(Log.SENDS, "same", "a"),
        line(Log.SENDS, "contact", "a"),
        line(Log.SENDS, "contact", "b"),
        line(Log.SENDS, "number", "a"),
        line(Log.SENDS, "number", "a", "+447700900002", "ContentTooLong"),
        line(Log.SENDS, "number", "a", "+447700900002"),
        line(Log.SENDS, "rejected", "a"),
        line(Log.SENDS, "rejected", "b", "no number"),
    )
    warehouse.write(Log.SENDS, "2026-01-06.csv", line(Log.SENDS, "contact", "a"), line(Log.SENDS, "only here", "c"))
    for log in (Log.CLICKS, Log.ORDERS):
        warehouse.write(log, "2026-01-05.csv", line(log, "k", "a"), line(log, "k", "a"), line(log, "l", "a"))
        warehouse.write(log, "2026-01-06.csv", line(log, "l", "A"), line(log, "L", "b"), line(log, "contact", "x"))
    warehouse.update()
    assert warehouse.conflicts() == [
        ("clicks", "l", 2, 2),
        ("orders", "l", 2, 2),
        ("sends", "contact", 3, 2),
        ("sends", "number", 3, 2),
    ]
    assert warehouse.conflicting() == {
        "sends/2026-01-05.csv": 5, "sends/2026-01-06.csv": 1,
        "clicks/2026-01-05.csv": 1, "clicks/2026-01-06.csv": 1,
        "orders/2026-01-05.csv": 1, "orders/2026-01-06.csv": 1,
    }  # fmt: skip


def test_a_conflict_ends_when_a_file_is_replaced(warehouse: Warehouse) -> None:
    warehouse.write(Log.CLICKS, "2026-01-05.csv", line(Log.CLICKS, "k", "a"))
    warehouse.write(Log.CLICKS, "2026-01-06.csv", line(Log.CLICKS, "k", "b"))
    warehouse.update()
    assert warehouse.conflicts() == [("clicks", "k", 2, 2)]
    warehouse.write(Log.CLICKS, "2026-01-06.csv", line(Log.CLICKS, "k", "a"))
    warehouse.update()
    assert (warehouse.conflicts(), warehouse.conflicting()) == ([], {})
    warehouse.write(Log.CLICKS, "2026-01-06.csv", line(Log.CLICKS, "k", "c"))
    warehouse.update()
    warehouse.write(Log.CLICKS, "2026-01-05.csv")
    warehouse.update()
    assert (warehouse.conflicts(), warehouse.conflicting()) == ([], {})


def test_an_index_that_is_damaged_or_of_another_version_is_written_again(warehouse: Warehouse) -> None:
    for day in (5, 6):
        warehouse.write(Log.ORDERS, f"2026-01-0{day}.csv", line(Log.ORDERS, "k", f"contact {day}"))
    warehouse.update()
    index = warehouse.paths.key_index
    whole = index.read_bytes()
    for content in (b"no database", b"", whole[: len(whole) // 2], None):
        if content is None:
            with duckdb.connect(str(index)) as connection:
                connection.execute(
                    "update version set version = 'older'; delete from orders; delete from conflicting_rows"
                )
        else:
            index.write_bytes(content)
        warehouse.update()
        assert warehouse.conflicts() == [("orders", "k", 2, 2)]


@pytest.mark.parametrize("log", [Log.ORDERS, Log.RECEIPTS])
def test_publishing_with_a_damaged_index_writes_it_again(warehouse: Warehouse, log: Log) -> None:
    for day in (5, 6):
        warehouse.write(Log.CLICKS, f"2026-01-0{day}.csv", line(Log.CLICKS, "k", f"contact {day}"))
    warehouse.update()
    whole = warehouse.paths.key_index.read_bytes()
    for content in (b"no database", whole[: len(whole) // 2], None):
        if content is None:
            warehouse.paths.key_index.unlink()
        else:
            warehouse.paths.key_index.write_bytes(content)
        warehouse.paths.published_quarantine.unlink(missing_ok=True)
        publish_quarantine(AppContext.of(load_settings()), [log])
        assert warehouse.published_conflicts() == [("clicks", "k", 2, 2)]


def test_counts_that_a_killed_update_did_not_record_are_recorded_by_the_next(warehouse: Warehouse) -> None:
    for day in (5, 6):
        warehouse.write(Log.ORDERS, f"2026-01-0{day}.csv", line(Log.ORDERS, "k", f"contact {day}"))
    warehouse.update()
    expected = warehouse.conflicting()
    warehouse.ledger.record_conflicting_rows(Log.ORDERS, {})
    warehouse.update()
    assert warehouse.conflicting() == expected != {}
    # Of a file that was emptied since, no row is in conflict.
    warehouse.write(Log.ORDERS, "2026-01-06.csv")
    warehouse.load(log=Log.ORDERS)
    assert warehouse.conflicting() == {"orders/2026-01-05.csv": 1}


def test_the_index_is_opened_only_if_files_have_changed(warehouse: Warehouse) -> None:
    for day in (5, 6):
        warehouse.write(Log.ORDERS, f"2026-01-0{day}.csv", line(Log.ORDERS, "k", f"contact {day}"))
    warehouse.update()
    warehouse.write(Log.CLICKS, "2026-01-05.csv", line(Log.CLICKS, "k", "a"))
    # DuckDB opens no file twice in one process.
    with duckdb.connect(str(warehouse.paths.key_index)):
        update_key_conflicts(load_settings(), warehouse.paths, warehouse.ledger)
        with pytest.raises(duckdb.Error):
            warehouse.update()
    warehouse.update()
    assert warehouse.conflicts() == [("orders", "k", 2, 2)]


def test_the_index_is_opened_if_a_killed_process_left_a_write_ahead_log(warehouse: Warehouse) -> None:
    warehouse.write(Log.ORDERS, "2026-01-05.csv", line(Log.ORDERS, "k", "a"))
    warehouse.update()
    index = warehouse.paths.key_index
    write_and_die = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('delete from orders'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", write_and_die, str(index)], check=True)
    wal = index.with_name(f"{index.name}.wal")
    assert wal.exists()
    warehouse.update()
    assert not wal.exists()


def test_a_lake_file_that_is_missing_or_cut_short_has_no_rows_until_it_is_loaded_again(warehouse: Warehouse) -> None:
    for day in (5, 6):
        warehouse.write(Log.ORDERS, f"2026-01-0{day}.csv", line(Log.ORDERS, "k", f"contact {day}"))
    warehouse.update()
    first, second = sorted(warehouse.paths.lake.rglob("*.parquet"))
    content = second.read_bytes()
    second.write_bytes(content[:-1])
    update_key_conflicts(load_settings(), warehouse.paths, warehouse.ledger)
    assert warehouse.conflicting() == {}
    second.write_bytes(content)
    first.unlink()
    update_key_conflicts(load_settings(), warehouse.paths, warehouse.ledger)
    assert warehouse.conflicting() == {}


@pytest.mark.parametrize("seed", range(5))
def test_updates_give_what_counting_all_rows_gives(warehouse: Warehouse, seed: int) -> None:
    rng = random.Random(seed)
    files: dict[tuple[Log, str], list[tuple[str, str]]] = {}
    for _ in range(4):
        for log in (Log.SENDS, Log.CLICKS):
            for name in rng.sample([f"2026-01-0{day}.csv" for day in range(1, 8)], 2):
                rows = [(f"k{rng.randrange(15)}", f"c{rng.randrange(3)}") for _ in range(rng.randrange(6))]
                files[log, name] = rows
                warehouse.write(log, name, *(line(log, *row) for row in rows))
        warehouse.update()
        found: dict[tuple[Log, str], list[str]] = defaultdict(list)
        for (log, _), rows in files.items():
            for key, contact in rows:
                found[log, key].append(contact)
        conflicts = {key: contacts for key, contacts in found.items() if len(set(contacts)) > 1}
        assert warehouse.conflicts() == sorted(
            (log.value, key, len(contacts), len(set(contacts))) for (log, key), contacts in conflicts.items()
        )
        counts = {
            f"{log}/{name}": sum((log, key) in conflicts for key, _ in rows) for (log, name), rows in files.items()
        }
        assert warehouse.conflicting() == {name: count for name, count in counts.items() if count}


def test_a_small_session_is_used_again_by_one_at_a_time_and_closed_after_an_error(warehouse: Warehouse) -> None:
    limits = load_settings()
    with small_session(limits) as first, small_session(limits) as at_the_same_time:
        assert at_the_same_time is not first
    with pytest.raises(duckdb.Error), small_session(limits) as again:
        assert again is first
        again.execute("create temp table left_over as select 1; select * from missing")
    with small_session(limits) as after_error, pytest.raises(duckdb.CatalogException):
        after_error.execute("from left_over")
