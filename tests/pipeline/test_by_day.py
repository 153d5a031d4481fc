"""What starts by itself by day, with a real instance: the sensor on the landing zone, and the one that shows dates."""

import gzip
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from models.enums import Log
from orchestration.defs.landing_sensors import backfill_materializations, landing_zone
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import dagster_home
from orchestration.stages import AppContext, plan_refresh
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.marts import Settings as OracleSettings
from tests.oracle.marts import compute, load_vocabulary
from tests.running import RefreshedWarehouse, all_marts, environment, environment_of
from warehouse.config.settings import load_settings
from warehouse.ingest.arrivals import SensorCursor
from warehouse.ledger import Ledger


@pytest.fixture
def copy(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> Iterator[AppContext]:
    """The small case after its refresh, to be changed; its settings are in force."""
    landing, data = tmp_path / "landing", tmp_path / "data"
    shutil.copytree(refreshed_small.landing, landing)
    shutil.copytree(refreshed_small.warehouse.paths.data, data)
    with environment(environment_of(data, landing, max_rejected_share="1")):
        warehouse = AppContext.of(load_settings())
        # Its files are other ones to the file system: that of the same content is noted.
        assert not any(plan_refresh(warehouse).files.values())
        yield warehouse


class Sensor:
    """A sensor that is evaluated again and again, as the daemon does."""

    def __init__(self, sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
        self._sensor, self._instance, self._cursor = sensor, instance, None

    def __call__(self):
        context = dg.build_sensor_context(
            self._instance, cursor=self._cursor, resources={"warehouse": WarehouseResource()}
        )
        ticked = self._sensor.evaluate_tick(context)
        self._cursor = ticked.cursor
        return ticked


@pytest.fixture
def instance(copy: AppContext) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(dagster_home(copy)))


@pytest.fixture
def ticks(copy: AppContext, instance: dg.DagsterInstance) -> Sensor:
    return Sensor(landing_zone, instance)


@pytest.fixture
def definitions(copy: AppContext) -> dg.Definitions:
    from orchestration.definitions import defs

    return defs()


def run_of(definitions: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest):
    job = definitions.resolve_job_def("refresh")
    return job.execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )


def drop_new_clicks(landing: Path, day: str) -> None:
    clicks = (landing / "clicks" / "2026-01-05.1.csv").read_text(encoding="utf-8")
    assert "k11-a1" in clicks
    (landing / "clicks" / f"{day}.csv").write_text(clicks.replace("k11-a1", f"k-{day}"), encoding="utf-8")


def alter_sends(landing: Path) -> None:
    """A file of 2026-01-11 loses its last row."""
    file = landing / "sends" / "2026-01-11.1.csv.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:-1])))


def test_a_day_loaded_by_hand_and_a_file_dropped_end_in_the_marts_of_a_refresh(
    copy: AppContext, instance: dg.DagsterInstance, ticks: Sensor, definitions: dg.Definitions
) -> None:
    landing = copy.settings.landing
    before = all_marts(copy.paths.published_marts)
    assert "nothing new" in ticks().skip_message
    alter_sends(landing)
    reload = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["logs", "sends"])], partition_key="2026-01-11"
    )
    assert reload.success
    drop_new_clicks(landing, "2026-01-14")
    assert "the lake" in ticks().skip_message
    (request,) = ticks().run_requests
    assert request.tags["sendmart/days"] == "clicks 2026-01-14; sends 2026-01-11"
    asked_for = read_landing(landing).rows
    drop_new_clicks(landing, "2026-01-15")

    run = run_of(definitions, instance, request)

    assert run.success
    taken = {file.source_file for file in copy.ledger.files(Log.CLICKS)}
    assert ("2026-01-14.csv" in taken, "2026-01-15.csv" in taken) == (True, False), "just the days asked for"
    assert _marts_beside_the_oracle(copy, asked_for) == {}
    assert all_marts(copy.paths.published_marts) != before
    assert "2026-01-15.csv" in ticks().skip_message
    (request,) = ticks().run_requests
    assert request.tags["sendmart/started_by"] == "landing zone"
    assert request.tags["sendmart/days"] == "clicks 2026-01-15"
    assert request.run_config["ops"]["logs__clicks"]["config"]["dates"] == ["2026-01-15"]
    assert request.run_config["ops"]["logs__sends"]["config"]["dates"] == []


def test_a_tick_waits_for_a_refresh_that_is_at_work(
    copy: AppContext, instance: dg.DagsterInstance, ticks: Sensor, definitions: dg.Definitions
) -> None:
    drop_new_clicks(copy.settings.landing, "2026-01-14")
    ticks()
    job = definitions.resolve_job_def("refresh")
    at_work = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert at_work.run_id in ticks().skip_message
    instance.report_run_failed(at_work)
    killed = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"sendmart/started_by": "command line"}
    )
    assert len(ticks().run_requests) == 1, f"{killed.run_id} may be dead, and does not hold the lock"
    assert "asked for before" in ticks().skip_message


def test_no_personal_data_in_what_a_tick_says_and_remembers(copy: AppContext, ticks: Sensor) -> None:
    for number in ("+447700900123", "+447700900124"):
        (copy.settings.landing / "sends" / f"2026-01-14.{number}.csv").write_bytes(b"x")
    tick = ticks()
    assert tick.skip_message.count("sends/2026-01-14.") == 2
    assert len(SensorCursor.of(tick.cursor).seen) == 2
    assert "4477009001" not in tick.skip_message + tick.cursor


def test_a_date_without_a_file_stays_missing(
    copy: AppContext, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    key = dg.AssetKey(["logs", "unsubscribes"])
    instance.wipe_assets([key])
    loaded = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=[key],
        tags={
            "dagster/asset_partition_range_start": "2026-01-05",
            "dagster/asset_partition_range_end": "2026-01-07",
        },
    )
    assert loaded.success
    assert instance.get_materialized_partitions(key) == {"2026-01-05", "2026-01-07"}


def test_dates_that_the_ledger_knows_are_shown_as_loaded_a_few_at_a_time(
    copy: AppContext, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.defs.landing_sensors.DATES_REPORTED_AT_A_TIME", 20)
    look = Sensor(backfill_materializations, instance)
    assert "0 dates" in look().skip_message
    lost = dg.DagsterInstance.ephemeral()
    look = Sensor(backfill_materializations, lost)
    told: dict[Log, set[str]] = {log: set() for log in Log}
    while (ticked := look()).asset_events:
        assert len(ticked.asset_events) <= 20
        for event in ticked.asset_events:
            lost.report_runless_asset_event(event)
            told[Log(event.asset_key.path[-1])].add(event.partition)
    assert told == {log: _dates(copy.ledger, log) for log in Log}
    assert "no file was taken" in look().skip_message


def _dates(ledger: Ledger, log: Log) -> set[str]:
    return {date.isoformat(file.log_date) for file in ledger.files(log)}


def _marts_beside_the_oracle(warehouse: AppContext, rows: dict[str, list[dict]]) -> dict[str, list[str]]:
    expected = compute(rows, OracleSettings(), load_vocabulary())
    published = all_marts(warehouse.paths.published_marts)
    worded = {"skip_reason_details"}  # free text, which the contract gives in substance only
    found = {
        mart: differences(of_mart, published[mart], [name for name in (of_mart or [{}])[0] if name not in worded])
        for mart, of_mart in expected.items()
    }
    return {mart: told for mart, told in found.items() if told}
