"""Three weeks of the sample, night by night: ordinary nights hardly ever warn; an incident in the same logs does.

The marts of each night are those of the hand-written script (`benchmarks`), which takes a fraction of a dbt build.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest

from benchmarks import baseline
from models.check_results import BuildMetrics
from models.enums import Log
from models.marts import BASE_MARTS
from quality.audit.anomalies import compare
from quality.audit.metrics import BuildFacts, compute_metrics, create_aggregates
from sample_data import FIRST_LOG_DATE, write_sample
from tests.running import environment, environment_of
from warehouse.config.settings import Settings, load_settings

NIGHTS = 20
SCHEMA = "candidate.marts"


@dataclass
class Nights:
    """A landing zone that was loaded at once, and whose log dates are then built one after the other."""

    folder: Path
    settings: Settings
    published: list[BuildMetrics] = field(default_factory=list)

    def day(self, night: int) -> date:
        return FIRST_LOG_DATE + timedelta(days=night)

    def add_log_date(self, night: int) -> None:
        for log in Log:
            of_day = self.folder / "waiting" / "lake" / log / f"log_date={self.day(night)}"
            to = self.folder / "admitted" / "lake" / log
            to.mkdir(parents=True, exist_ok=True)
            shutil.move(of_day, to / of_day.name)

    def build(self, night: int) -> BuildMetrics:
        """The metrics of a build of every log date so far."""
        day = self.day(night)
        baseline.build(self.settings, self.folder / "admitted")
        with duckdb.connect(config={"threads": 1}) as connection:
            logs = {}
            for log in Log:
                rows = f"read_parquet('{self.folder}/admitted/lake/{log}/*/*.parquet', hive_partitioning = true)"
                latest, of_day = connection.execute(
                    f"select max(log_date), count(*) filter (where log_date = ?) from {rows}", [day]
                ).fetchone()
                logs[log] = (latest, of_day)
            audited_at = datetime.combine(day + timedelta(days=1), time(3, 30))
            facts = BuildFacts(f"build-{night}", day, audited_at, logs)
            connection.execute(f"attach '{self.folder}/admitted/{baseline.MARTS}' as candidate (read_only)")
            assert create_aggregates(connection, day) == []
            metrics = {
                mart: {
                    name: value for name, value in compute_metrics(connection, mart, facts).items() if value is not None
                }
                for mart in BASE_MARTS
            }
        return BuildMetrics(facts.build_id, day, metrics)

    def warnings(self, build: BuildMetrics) -> set[str]:
        return {
            f"{mart}: {metric.name}"
            for mart in BASE_MARTS
            for metric in compare(mart, build, self.published)
            if not metric.is_in_range
        }


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("nights")
    with environment(environment_of(folder / "data", folder / "landing")):
        settings = load_settings()
    write_sample(folder / "landing", sends=20_000, days=NIGHTS + 1, seed=2, file_format="csv.gz")
    baseline.admit(settings, folder / "landing", folder / "waiting")
    nights = Nights(folder, settings)
    yield nights
    shutil.rmtree(folder)


@pytest.mark.torture
def test_ordinary_nights_rarely_warn_and_incidents_do(nights: Nights) -> None:
    warned = {}
    for night in range(NIGHTS):
        nights.add_log_date(night)
        build = nights.build(night)
        if warnings := nights.warnings(build):
            warned[night] = warnings
        nights.published.append(build)
    assert len(warned) <= 1, warned
    with_range = [
        metric
        for mart in BASE_MARTS
        for metric in compare(mart, nights.published[-1], nights.published[:-1])
        if metric.has_range
    ]
    assert len(with_range) > 30

    nights.add_log_date(NIGHTS)
    sends = nights.folder / "admitted" / "lake" / "sends" / f"log_date={nights.day(NIGHTS)}" / "rows.parquet"
    warnings = nights.warnings(nights.build(NIGHTS))
    with duckdb.connect() as connection:
        half = sends.with_name("half.parquet")
        connection.execute(f"copy (from '{sends}' where row_number % 2 = 0) to '{half}' (format parquet)")
        half.replace(sends)
    cut = nights.warnings(nights.build(NIGHTS))
    assert warnings == set()
    assert "unmatched_events: receipts_added_per_messages_sent_added" in cut
