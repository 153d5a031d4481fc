"""Arrivals of the landing-zone sensor: which files are pending, and when a refresh of them is due."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.enums import Log
from warehouse.ingest.arrivals import (
    LAKE,
    PATIENCE_SECONDS,
    Arrival,
    Arrivals,
    Evaluation,
    SensorCursor,
    evaluate,
    find_arrivals,
    run_key,
    unbuilt_changes,
)
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import IN_FLIGHT, Ledger, LoadedFile, Refresh, now

LAKE_FILE = "sends/log_date=2026-01-05/a.parquet"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "data" / "ledger.sqlite")


def drop(landing: Path, name: str, content: bytes = b"x") -> None:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def record_load(ledger: Ledger, file: LandingFile, sha256: str = "loaded", refusal: str | None = None) -> None:
    loaded = LoadedFile(
        file.log, file.source_file, file.log_date, sha256, refusal, 1, 1, 0, None, None, (), datetime.now(UTC)
    )
    ledger.record_files([(loaded, file.stat())])


def arrivals_of(landing: Path, ledger: Ledger) -> Arrivals:
    return find_arrivals(scan(landing).files, ledger.recorded_stats())


def pending_names(landing: Path, ledger: Ledger) -> set[str]:
    return {arrival.name for arrival in arrivals_of(landing, ledger).pending}


def lake_arrival(ledger: Ledger) -> Arrival | None:
    return unbuilt_changes(ledger.open_changes(), ledger.last_change(), ledger.last_refresh())


# Pending files


def test_new_and_changed_files_are_pending_and_loaded_ones_are_not(landing: Path, ledger: Ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    drop(landing, "clicks/2026-01-05/gw.csv")
    assert pending_names(landing, ledger) == {"sends/2026-01-05.csv", "clicks/2026-01-05/gw.csv"}
    for file in scan(landing).files:
        record_load(ledger, file)
    assert pending_names(landing, ledger) == set()
    drop(landing, "sends/2026-01-05.csv", b"other")
    assert pending_names(landing, ledger) == {"sends/2026-01-05.csv"}


def test_a_loaded_file_that_is_gone_is_reported_and_not_pending(landing: Path, ledger: Ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    drop(landing, "sends/2026-01-06.csv")
    refused, loaded = scan(landing).files
    record_load(ledger, refused, refusal="no header")
    record_load(ledger, loaded)
    shutil.rmtree(landing / "sends")
    arrivals = arrivals_of(landing, ledger)
    assert (arrivals.pending, set(arrivals.gone)) == ([], {"sends/2026-01-05.csv", "sends/2026-01-06.csv"})


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_file_with_an_unfinished_load_is_pending_even_if_it_is_gone(
    landing: Path, ledger: Ledger, is_gone: bool
) -> None:
    drop(landing, "sends/2026-01-05.csv")
    (file,) = scan(landing).files
    record_load(ledger, file, sha256=IN_FLIGHT)
    if is_gone:
        file.path.unlink()
    (arrival,) = arrivals_of(landing, ledger).pending
    assert (arrival.name, arrival.days) == ("sends/2026-01-05.csv", {(Log.SENDS, date(2026, 1, 5))})


def test_the_lake_is_pending_after_a_load_until_a_refresh_has_failed_on_it(landing: Path, ledger: Ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    (file,) = scan(landing).files
    assert lake_arrival(ledger) is None
    ledger.record_changes([(file, Path(LAKE_FILE), None)])
    first = lake_arrival(ledger)
    assert first is not None
    assert (first.name, first.days) == (LAKE, {(Log.SENDS, date(2026, 1, 5))})
    ledger.record_changes([(file, Path(LAKE_FILE), None)])
    second = lake_arrival(ledger)
    assert second is not None
    assert second.state != first.state, "another load is another state"
    ledger.record_run(Refresh(now(), now(), "failed", ""))
    assert lake_arrival(ledger) is None
    ledger.record_changes([(file, Path(LAKE_FILE), None)])
    assert lake_arrival(ledger) is not None, "loaded after the failed refresh"


# When a refresh is due


def arrival(day: int, state: str, name: str = "") -> Arrival:
    name = name or f"sends/2026-01-{day:02}.csv"
    return Arrival(name, state, frozenset({(Log.SENDS, date(2026, 1, day))}))


class Sensor:
    """Evaluates every half minute, and keeps its cursor as text between two evaluations."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.at = 0.0

    def __call__(self, *pending: Arrival, loaded: frozenset[str] = frozenset()) -> Evaluation:
        evaluation = evaluate(SensorCursor.of(self.cursor), Arrivals(list(pending), loaded), self.at)
        self.cursor, self.at = evaluation.cursor.as_text(), self.at + 30
        return evaluation


def names(arrivals: list[Arrival]) -> list[str]:
    return [arrival.name for arrival in arrivals]


def test_a_file_is_due_once_two_evaluations_saw_the_same_state() -> None:
    sensor = Sensor()
    assert sensor(arrival(5, "half")).due == []
    assert sensor(arrival(5, "whole")).due == []
    assert names(sensor(arrival(5, "whole")).due) == ["sends/2026-01-05.csv"]


def test_a_burst_of_files_is_due_together_when_the_last_one_is_complete() -> None:
    sensor = Sensor()
    assert sensor(arrival(5, "a")).due == []
    assert sensor(arrival(5, "a"), arrival(6, "a")).due == []
    assert sensor(arrival(5, "a"), arrival(6, "b"), arrival(7, "a")).due == []
    assert len(sensor(arrival(5, "a"), arrival(6, "b"), arrival(7, "a")).due) == 3


def test_after_a_limited_time_complete_files_are_due_without_the_days_that_still_change() -> None:
    sensor = Sensor()
    for tick in range(100):
        evaluation = sensor(arrival(5, "a"), arrival(6, f"{tick}"), arrival(6, "a", "sends/2026-01-06.1.csv"))
        if evaluation.due:
            break
    assert sensor.at - 30 == PATIENCE_SECONDS
    assert names(evaluation.due) == ["sends/2026-01-05.csv"]
    assert names(sensor(arrival(6, f"{tick}"), arrival(6, "a", "sends/2026-01-06.1.csv")).due) == [
        "sends/2026-01-06.csv",
        "sends/2026-01-06.1.csv",
    ]


def test_the_waiting_time_starts_again_after_a_requested_refresh() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"), arrival(6, "0"))
    sensor.at += PATIENCE_SECONDS
    assert names(sensor(arrival(5, "a"), arrival(6, "1")).due) == ["sends/2026-01-05.csv"]
    sensor(arrival(6, "2"), arrival(7, "a"))
    assert sensor(arrival(6, "3"), arrival(7, "a")).due == []


def test_the_waiting_time_ends_though_the_clock_was_set_back() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"), arrival(6, "0"))
    sensor.at -= 400 * 24 * 3600
    assert sensor(arrival(5, "a"), arrival(6, "1")).due == []
    sensor.at += PATIENCE_SECONDS
    assert names(sensor(arrival(5, "a"), arrival(6, "2")).due) == ["sends/2026-01-05.csv"]


def test_a_refresh_of_the_same_state_is_requested_once() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"))
    assert sensor(arrival(5, "a")).due
    for _ in range(100):
        evaluation = sensor(arrival(5, "a"))
        assert (evaluation.due, names(evaluation.already_requested)) == ([], ["sends/2026-01-05.csv"])
    sensor(arrival(5, "b"))
    assert sensor(arrival(5, "b")).due


def test_a_requested_file_is_not_requested_again_with_a_new_one() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"))
    sensor(arrival(5, "a"))
    sensor(arrival(5, "a"), arrival(6, "a"))
    assert names(sensor(arrival(5, "a"), arrival(6, "a")).due) == ["sends/2026-01-06.csv"]


def test_a_state_that_returns_after_its_load_is_new() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"))
    assert sensor(arrival(5, "a")).due
    sensor(loaded=frozenset({"sends/2026-01-05.csv"}))
    sensor(arrival(5, "a"))
    assert sensor(arrival(5, "a")).due


def test_a_file_that_disappears_before_its_load_is_named_once() -> None:
    sensor = Sensor()
    sensor(arrival(5, "a"), arrival(6, "a"))
    assert sensor(arrival(6, "a")).vanished == ["sends/2026-01-05.csv"]
    assert sensor(loaded=frozenset({"sends/2026-01-06.csv"})).vanished == []
    assert sensor().vanished == []


def test_run_keys_differ_by_file_and_state_and_not_by_order() -> None:
    a5, b5, a6 = arrival(5, "a"), arrival(5, "b"), arrival(6, "a")
    assert len({run_key(due) for due in ([a5], [b5], [a6], [a5, a6])}) == 4
    assert run_key([a5, a6]) == run_key([a6, a5])
