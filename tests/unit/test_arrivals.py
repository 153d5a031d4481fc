"""When a file of the landing zone is taken by day: waited for while it changes, with others, and asked for once."""

import shutil
from datetime import UTC, date, datetime

import pytest

from models.enums import Log
from warehouse.ingest import arrivals
from warehouse.ingest.arrivals import LAKE, Arrival, Arrivals, Evaluation, SensorCursor, evaluate, unbuilt_changes
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import IN_FLIGHT, Ledger, LoadedFile, Refresh, now


@pytest.fixture
def landing(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "data" / "ledger.sqlite")


def drop(landing, name: str, content: bytes = b"x") -> None:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def take(ledger: Ledger, file: LandingFile, sha256: str = "taken", refusal: str | None = None) -> None:
    loaded = LoadedFile(
        file.log, file.source_file, file.log_date, sha256, refusal, 1, 1, 0, None, None, (), datetime.now(UTC)
    )
    ledger.record_files([(loaded, file.stat())])


def found(landing, ledger: Ledger) -> Arrivals:
    return arrivals.arrivals(scan(landing), ledger)


def waiting(landing, ledger: Ledger) -> set[str]:
    return {one.name for one in found(landing, ledger).waiting}


# What there is to be taken


def test_new_and_changed_files_wait_and_taken_ones_do_not(landing, ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    drop(landing, "clicks/2026-01-05/gw.csv")
    assert waiting(landing, ledger) == {"sends/2026-01-05.csv", "clicks/2026-01-05/gw.csv"}
    for file in scan(landing).files:
        take(ledger, file)
    assert waiting(landing, ledger) == set()
    drop(landing, "sends/2026-01-05.csv", b"other")
    assert waiting(landing, ledger) == {"sends/2026-01-05.csv"}


def test_a_taken_file_that_is_gone_changes_nothing_and_is_told(landing, ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    drop(landing, "sends/2026-01-06.csv")
    refused, taken = scan(landing).files
    take(ledger, refused, refusal="no header")
    take(ledger, taken)
    shutil.rmtree(landing / "sends")
    told = found(landing, ledger)
    assert (told.waiting, set(told.gone)) == ([], {"sends/2026-01-05.csv", "sends/2026-01-06.csv"})


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_file_that_was_being_taken_waits_even_where_it_is_gone(landing, ledger, is_gone) -> None:
    drop(landing, "sends/2026-01-05.csv")
    (file,) = scan(landing).files
    take(ledger, file, sha256=IN_FLIGHT)
    if is_gone:
        file.path.unlink()
    (one,) = found(landing, ledger).waiting
    assert (one.name, one.days) == ("sends/2026-01-05.csv", {(Log.SENDS, date(2026, 1, 5))})


def test_the_lake_waits_after_a_load_until_a_build_has_used_it_or_a_refresh_has_failed_on_it(landing, ledger) -> None:
    drop(landing, "sends/2026-01-05.csv")
    (file,) = scan(landing).files
    assert unbuilt_changes(ledger) is None
    ledger.record_changes([(file, "sends/log_date=2026-01-05/a.parquet", None)])
    first = unbuilt_changes(ledger)
    assert (first.name, first.days) == (LAKE, {(Log.SENDS, date(2026, 1, 5))})
    ledger.record_changes([(file, "sends/log_date=2026-01-05/a.parquet", None)])
    assert unbuilt_changes(ledger).mark != first.mark, "loaded again, it is another state"
    ledger.record_run(Refresh(now(), now(), "failed", ""))
    assert unbuilt_changes(ledger) is None
    ledger.record_changes([(file, "sends/log_date=2026-01-05/a.parquet", None)])
    assert unbuilt_changes(ledger) is not None, "loaded since"


# When it is time


def of(day: int, mark: str, name: str = "") -> Arrival:
    name = name or f"sends/2026-01-{day:02}.csv"
    return Arrival(name, mark, frozenset({(Log.SENDS, date(2026, 1, day))}))


class Looker:
    """Looks every half minute, remembering through text, as the sensor does."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.at = 0.0

    def __call__(self, *waiting: Arrival, taken: frozenset[str] = frozenset()) -> Evaluation:
        looked = evaluate(SensorCursor.of(self.text), Arrivals(list(waiting), taken), self.at)
        self.text, self.at = looked.cursor.as_text(), self.at + 30
        return looked


def names(arrived: list[Arrival]) -> list[str]:
    return [one.name for one in arrived]


def test_a_file_is_due_when_it_was_seen_twice_the_same() -> None:
    looks = Looker()
    assert looks(of(5, "half")).due == []
    assert looks(of(5, "whole")).due == []
    assert names(looks(of(5, "whole")).due) == ["sends/2026-01-05.csv"]


def test_a_burst_is_due_at_once_when_its_last_file_is_whole() -> None:
    looks = Looker()
    assert looks(of(5, "a")).due == []
    assert looks(of(5, "a"), of(6, "a")).due == []
    assert looks(of(5, "a"), of(6, "b"), of(7, "a")).due == []
    assert len(looks(of(5, "a"), of(6, "b"), of(7, "a")).due) == 3


def test_nobody_waits_for_ever_and_a_day_that_still_changes_is_left_out() -> None:
    looks = Looker()
    for ticks in range(100):
        looked = looks(of(5, "a"), of(6, f"{ticks}"), of(6, "a", "sends/2026-01-06.1.csv"))
        if looked.due:
            break
    assert looks.at - 30 == arrivals.PATIENCE_SECONDS
    assert names(looked.due) == ["sends/2026-01-05.csv"]
    assert names(looks(of(6, f"{ticks}"), of(6, "a", "sends/2026-01-06.1.csv")).due) == [
        "sends/2026-01-06.csv",
        "sends/2026-01-06.1.csv",
    ]


def test_patience_begins_anew_after_a_run_was_asked_for() -> None:
    looks = Looker()
    looks(of(5, "a"), of(6, "0"))
    looks.at += arrivals.PATIENCE_SECONDS
    assert names(looks(of(5, "a"), of(6, "1")).due) == ["sends/2026-01-05.csv"]
    looks(of(6, "2"), of(7, "a"))
    assert looks(of(6, "3"), of(7, "a")).due == []


def test_the_same_state_is_asked_for_once_and_another_again() -> None:
    looks = Looker()
    looks(of(5, "a"))
    assert looks(of(5, "a")).due
    for _ in range(100):
        looked = looks(of(5, "a"))
        assert (looked.due, names(looked.already_requested)) == ([], ["sends/2026-01-05.csv"])
    looks(of(5, "b"))
    assert looks(of(5, "b")).due


def test_what_was_asked_for_does_not_go_along_with_what_is_new() -> None:
    looks = Looker()
    looks(of(5, "a"))
    looks(of(5, "a"))
    looks(of(5, "a"), of(6, "a"))
    assert names(looks(of(5, "a"), of(6, "a")).due) == ["sends/2026-01-06.csv"]


def test_a_state_that_comes_back_after_it_was_taken_is_new() -> None:
    looks = Looker()
    looks(of(5, "a"))
    assert looks(of(5, "a")).due
    looks(taken=frozenset({"sends/2026-01-05.csv"}))
    looks(of(5, "a"))
    assert looks(of(5, "a")).due


def test_what_vanished_before_it_was_taken_is_named_once() -> None:
    looks = Looker()
    looks(of(5, "a"), of(6, "a"))
    assert looks(of(6, "a")).vanished == ["sends/2026-01-05.csv"]
    assert looks(taken=frozenset({"sends/2026-01-06.csv"})).vanished == []
    assert looks().vanished == []


def test_another_state_has_another_key_and_the_same_the_same() -> None:
    keys = {arrivals.run_key(due) for due in ([of(5, "a")], [of(5, "b")], [of(6, "a")], [of(5, "a"), of(6, "a")])}
    assert len(keys) == 4
    assert arrivals.run_key([of(5, "a"), of(6, "a")]) == arrivals.run_key([of(6, "a"), of(5, "a")])
