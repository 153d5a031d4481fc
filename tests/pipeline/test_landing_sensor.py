"""What starts by itself during the day, with a real Dagster instance: the sensors `landing_zone` and
`backfill_materializations`.
"""

import gzip
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from models.enums import Log
from orchestration.defs.landing_sensors import backfill_materializations, landing_zone
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import dagster_home
from orchestration.stages import AppContext, plan_refresh
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.marts import compute
from tests.oracle.rules import Settings as OracleSettings
from tests.oracle.rules import load_vocabulary
from tests.pipeline.conftest import with_resource
from tests.running import RefreshedWarehouse, all_marts
from warehouse.ingest.arrivals import SensorCursor
from warehouse.ledger import Ledger

SOURCE_FIXTURES = Path(__file__).parents[1] / "sources" / "landing"


@pytest.fixture
def resource(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> WarehouseResource:
    """A copy of the small case after its refresh, which the test may change."""
    landing, data = tmp_path / "landing", tmp_path / "data"
    shutil.copytree(refreshed_small.landing, landing)
    shutil.copytree(refreshed_small.warehouse.paths.data, data)
    settings = {"data": str(data), "landing": str(landing), "max_rejected_share": "1", "insights": "false"}
    return WarehouseResource(settings=settings)


@pytest.fixture
def warehouse(resource: WarehouseResource) -> AppContext:
    opened = resource.open()
    # The file system sees other files than before; their content is recorded.
    assert not any(plan_refresh(opened).files.values())
    return opened


class Sensor:
    """A sensor that is evaluated again and again, as Dagster's daemon does."""

    def __init__(self, sensor: dg.SensorDefinition, instance: dg.DagsterInstance, resource: WarehouseResource) -> None:
        self._sensor, self._instance, self._resource = sensor, instance, resource
        self._cursor: str | None = None

    def tick(self) -> Any:
        context = dg.build_sensor_context(self._instance, cursor=self._cursor, resources={"warehouse": self._resource})
        evaluated = self._sensor.evaluate_tick(context)
        self._cursor = evaluated.cursor
        return evaluated


@pytest.fixture
def instance(warehouse: AppContext) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(dagster_home(warehouse))) as instance:
        yield instance


@pytest.fixture
def definitions(definitions: dg.Definitions, resource: WarehouseResource) -> dg.Definitions:
    return with_resource(definitions, resource)


@pytest.fixture
def sensor(instance: dg.DagsterInstance, resource: WarehouseResource) -> Sensor:
    return Sensor(landing_zone, instance, resource)


def drop_new_clicks(landing: Path, day: str) -> None:
    clicks = (landing / "clicks" / "2026-01-05.1.csv").read_text(encoding="utf-8")
    assert "k11-a1" in clicks
    (landing / "clicks" / f"{day}.csv").write_text(clicks.replace("k11-a1", f"k-{day}"), encoding="utf-8")


def remove_last_send(landing: Path) -> None:
    """A file of 2026-01-11 loses its last row."""
    file = landing / "sends" / "2026-01-11.1.csv.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:-1])))


def test_a_day_reloaded_by_hand_and_a_dropped_file_reach_the_marts_by_a_requested_refresh(
    warehouse: AppContext,
    instance: dg.DagsterInstance,
    sensor: Sensor,
    definitions: dg.Definitions,
) -> None:
    landing = warehouse.settings.landing
    before = all_marts(warehouse.paths.published_marts)
    assert "nothing new" in sensor.tick().skip_message
    remove_last_send(landing)
    reload = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(["logs", "sends"])],
        partition_key="2026-01-11",
    )
    assert reload.success
    drop_new_clicks(landing, "2026-01-14")
    assert "the lake" in sensor.tick().skip_message
    (request,) = sensor.tick().run_requests
    assert request.tags["sendmart/days"] == "clicks 2026-01-14; sends 2026-01-11"
    rows_at_request = read_landing(landing).rows
    drop_new_clicks(landing, "2026-01-15")

    run = definitions.resolve_job_def("refresh").execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags
    )

    assert run.success
    loaded = {file.source_file for file in warehouse.ledger.files(Log.CLICKS)}
    assert ("2026-01-14.csv" in loaded, "2026-01-15.csv" in loaded) == (True, False), "only the requested days"
    assert _differences_from_oracle(warehouse, rows_at_request) == {}
    assert all_marts(warehouse.paths.published_marts) != before
    assert "2026-01-15.csv" in sensor.tick().skip_message
    (request,) = sensor.tick().run_requests
    assert request.tags["sendmart/started_by"] == "landing_zone"
    assert request.tags["sendmart/days"] == "clicks 2026-01-15"
    assert request.run_config["ops"]["logs__clicks"]["config"]["dates"] == ["2026-01-15"]
    assert request.run_config["ops"]["logs__sends"]["config"]["dates"] == []


def test_a_tick_waits_for_a_refresh_that_is_running(
    warehouse: AppContext, instance: dg.DagsterInstance, sensor: Sensor, definitions: dg.Definitions
) -> None:
    drop_new_clicks(warehouse.settings.landing, "2026-01-14")
    sensor.tick()
    job = definitions.resolve_job_def("refresh")
    running = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert running.run_id in sensor.tick().skip_message
    instance.report_run_failed(running)
    killed = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"sendmart/started_by": "command line"}
    )
    assert len(sensor.tick().run_requests) == 1, f"{killed.run_id} does not hold the lock, so it is dead"
    assert "requested before" in sensor.tick().skip_message


def test_a_file_of_a_source_starts_a_refresh_of_every_log_that_it_feeds(warehouse: AppContext, sensor: Sensor) -> None:
    export = "twilio_console_csv/spring-console/2026-01-05.csv"
    dropped = warehouse.settings.landing / export.replace("05", "14")
    dropped.parent.mkdir(parents=True)
    shutil.copyfile(SOURCE_FIXTURES / export, dropped)
    assert "waiting until unchanged" in sensor.tick().skip_message
    (request,) = sensor.tick().run_requests
    assert request.tags["sendmart/days"] == "receipts 2026-01-14; sends 2026-01-14"


def test_messages_and_cursor_of_a_tick_hold_no_phone_number(warehouse: AppContext, sensor: Sensor) -> None:
    for number in ("+447700900123", "+447700900124"):
        (warehouse.settings.landing / "sends" / f"2026-01-14.{number}.csv").write_bytes(b"x")
    tick = sensor.tick()
    assert tick.skip_message.count("sends/2026-01-14.") == 2
    assert len(SensorCursor.of(tick.cursor).seen) == 2
    assert "4477009001" not in tick.skip_message + tick.cursor


def test_a_date_without_a_file_stays_missing(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
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


def test_dates_that_only_the_ledger_knows_are_reported_some_at_each_tick(
    warehouse: AppContext,
    resource: WarehouseResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestration.defs.landing_sensors.MAX_DATES_PER_TICK", 20)
    assert "reported 0 loaded dates" in Sensor(backfill_materializations, instance, resource).tick().skip_message
    with dg.DagsterInstance.ephemeral() as empty:
        sensor = Sensor(backfill_materializations, empty, resource)
        reported: dict[Log, set[str]] = {log: set() for log in Log}
        while (tick := sensor.tick()).asset_events:
            assert len(tick.asset_events) <= 20
            for event in tick.asset_events:
                empty.report_runless_asset_event(event)
                reported[Log(event.asset_key.path[-1])].add(event.partition)
        assert reported == {log: _dates(warehouse.ledger, log) for log in Log}
        assert "no file was loaded" in sensor.tick().skip_message


def _dates(ledger: Ledger, log: Log) -> set[str]:
    return {date.isoformat(file.log_date) for file in ledger.files(log)}


def _differences_from_oracle(warehouse: AppContext, rows: dict[str, list[dict]]) -> dict[str, list[str]]:
    expected = compute(rows, OracleSettings(), load_vocabulary())
    published = all_marts(warehouse.paths.published_marts)
    free_text = {"skip_reason_details"}  # the contract does not fix its wording
    by_mart = {
        mart: differences(rows, published[mart], [name for name in (rows or [{}])[0] if name not in free_text])
        for mart, rows in expected.items()
    }
    return {mart: lines for mart, lines in by_mart.items() if lines}
