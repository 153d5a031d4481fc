"""Files whose rows an earlier release rejected, or which it refused, are loaded again, once."""

import sqlite3
from pathlib import Path

import pytest

from models.enums import Log
from models.logs import ADMISSION_VERSION
from orchestration.stages.sources import reload_lines
from quality.admission import validate
from warehouse.config.paths import DataPaths
from warehouse.ingest.arrivals import find_arrivals
from warehouse.ingest.load import load
from warehouse.ingest.staging import StagingJob
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import Ledger

HEADER, GOOD, BAD = b"contact_id,unsubscribed_at\n", b"k1,2026-01-05T12:00:00Z\n", b"k2,yesterday\n"
WHOLE, WITH_BAD_ROW, REFUSED, GONE = (f"2026-01-0{day}.csv" for day in (5, 6, 7, 8))


class LoadedFolder:
    """A landing zone whose files this release has loaded."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.paths = folder / "landing", DataPaths(folder / "data")
        self.ledger = Ledger(self.paths.ledger)
        contents = {WHOLE: HEADER + GOOD, WITH_BAD_ROW: HEADER + GOOD + BAD, REFUSED: b"who\nk1\n", GONE: HEADER + BAD}
        (self.landing / "unsubscribes").mkdir(parents=True)
        for name, content in contents.items():
            (self.landing / "unsubscribes" / name).write_bytes(content)
        self.load()
        (self.landing / "unsubscribes" / GONE).unlink()

    def files(self) -> list[LandingFile]:
        return scan(self.landing).files_of(Log.UNSUBSCRIBES)

    def pending(self) -> set[str]:
        pending = {file.source_file for file in self.ledger.pending_files(self.files())}
        arrivals = find_arrivals(self.files(), self.ledger.recorded_stats()).pending
        assert {arrival.name for arrival in arrivals} == {f"unsubscribes/{name}" for name in pending}
        return pending

    def load(self) -> None:
        load(StagingJob(self.paths, validate), self.ledger, self.ledger.pending_files(self.files()))

    def take_ledger_back(self) -> None:
        """Gives the ledger the tables of 0.3.0."""
        with sqlite3.connect(self.paths.ledger) as connection:
            connection.execute("alter table files drop column admission")
            connection.execute("pragma user_version = 1")
        connection.close()


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedFolder:
    return LoadedFolder(tmp_path)


def test_files_with_rejections_of_an_earlier_release_are_loaded_again_once(loaded: LoadedFolder) -> None:
    assert loaded.pending() == set(), "this release rejected these rows itself"
    before = {file.source_file: file for file in loaded.ledger.files()}
    loaded.take_ledger_back()
    assert loaded.pending() == {WITH_BAD_ROW, REFUSED}, "and not the whole file"
    assert reload_lines(loaded.ledger.pending_files(loaded.files()), loaded.ledger) == [
        "unsubscribes: 2 files are loaded again, because an earlier release rejected rows that may be valid now"
    ]
    loaded.load()
    assert loaded.pending() == set()
    after = {file.source_file: file for file in loaded.ledger.files()}
    assert {name for name in after if after[name].loaded_at != before[name].loaded_at} == {WITH_BAD_ROW, REFUSED}
    assert after[GONE] == before[GONE], "a file that has left the landing zone stays as it is"


def test_a_new_version_of_the_rules_is_as_a_new_release(loaded: LoadedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.ledger.files.ADMISSION_VERSION", ADMISSION_VERSION + 1)
    assert loaded.pending() == {WITH_BAD_ROW, REFUSED}
    loaded.load()
    assert loaded.pending() == set()
