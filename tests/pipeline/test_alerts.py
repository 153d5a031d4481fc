"""What Dagster's sensors and checks tell of: runs that end without a failed step, late logs, stale figures, failing
schedules; at a real receiver. Dagster's daemon is stood in for, its instance and its sensors are real.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from models.enums import Log
from orchestration.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
    ScheduleInstigatorData,
    SerializableErrorInfo,
    StepFailureData,
    TickData,
    TickStatus,
)
from orchestration.defs import alert_sensors, exports, freshness, logs, publication, run_status_sensors
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND
from orchestration.stages import AppContext, freshness_times
from tests.receivers import Receiver, webhook
from tests.running import environment, environment_of
from warehouse.config.settings import load_settings
from warehouse.export import REPORTS
from warehouse.landing.completeness import last_due_date
from warehouse.ledger import Refresh, now


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook() as server:
        yield server


@pytest.fixture
def warehouse(tmp_path: Path, receiver: Receiver) -> Iterator[AppContext]:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing", alerts=receiver.url)):
        yield AppContext.of(load_settings())


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@dg.job(name="refresh")
def refresh_job() -> None: ...


@dg.job(name="csv_exports")
def exports_job() -> None: ...


def _interrupted(job: dg.JobDefinition) -> dg.DagsterEvent:
    """What the process of a run notes when Dagster ends it."""
    kind = "DagsterExecutionInterruptedError"
    return dg.DagsterEvent(
        dg.DagsterEventType.STEP_FAILURE.value, job.name, step_key="logs__sends",
        event_specific_data=StepFailureData(SerializableErrorInfo(f"dagster._core.errors.{kind}\n", [], kind), None),
    )  # fmt: skip


def _told_of(
    sensor: dg.RunStatusSensorDefinition,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    why: str | None,
    *,
    is_interrupted: bool = False,
    **tags: str,
) -> None:
    """Has a run-status sensor look at a run that ended by itself, or was ended by Dagster, for a reason."""
    run = instance.create_run_for_job(job, tags=tags)
    kind = dg.DagsterEventType.RUN_SUCCESS if why is None else dg.DagsterEventType.RUN_FAILURE
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=job.name, message=why)
    instance.report_dagster_event(event, run.run_id)
    if is_interrupted:
        instance.report_dagster_event(_interrupted(job), run.run_id)
    context = dg.build_run_status_sensor_context(
        sensor.name, event, instance, instance.get_run_by_id(run.run_id), resources={"warehouse": WarehouseResource()}
    )
    sensor(context.for_run_failure() if sensor is alert_sensors.alert_on_run_failure else context)


@pytest.mark.parametrize("is_interrupted", [True, False])
def test_a_refresh_that_was_ended_from_outside_has_failed(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, is_interrupted: bool
) -> None:
    """A run that timed out has no failed step, or one of which nothing is known but that it was interrupted."""
    why = "Exceeded maximum runtime of 10 seconds."
    _told_of(
        run_status_sensors.record_refresh_failure,
        instance,
        refresh_job,
        "Exceeded maximum runtime of 10 seconds.",
        is_interrupted=is_interrupted,
    )
    last = warehouse.ledger.last_refresh()
    assert (last.outcome, last.message.partition(":")[0]) == ("failed", "refresh-not-finished")
    assert now() - last.started_at < timedelta(minutes=5)
    _told_of(run_status_sensors.record_refresh_success, instance, refresh_job, None)
    assert receiver.titles == ["refresh failed", "refresh recovered"]
    assert why in receiver.taken[0]["message"]


def test_a_run_that_dagster_tries_again_or_the_command_line_started_is_not_told_by_sensors(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    for sensor, job in (
        (run_status_sensors.record_refresh_failure, refresh_job),
        (alert_sensors.alert_on_run_failure, exports_job),
    ):
        _told_of(sensor, instance, job, "killed", **{"dagster/will_retry": "true"})
        _told_of(sensor, instance, job, "killed", **STARTED_BY_COMMAND)
    _told_of(alert_sensors.alert_on_run_failure, instance, refresh_job, "killed")
    assert receiver.titles == []


def test_exports_that_fail_and_recover_are_told(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    for why in ("killed", None, None):
        _told_of(
            alert_sensors.alert_on_run_recovery if why is None else alert_sensors.alert_on_run_failure,
            instance,
            exports_job,
            why,
        )
    assert receiver.titles == ["exports failed", "exports recovered"]
    assert "killed" in receiver.taken[0]["message"]


def test_a_reload_is_told_by_its_assets_and_dates() -> None:
    """Another one that succeeds is no recovery of it."""
    assets = frozenset({dg.AssetKey(["logs", "sends"]), dg.AssetKey(["logs", "clicks"])})
    one_day = {"dagster/partition": "2026-01-06"}
    days = {"dagster/asset_partition_range_start": "2026-01-06", "dagster/asset_partition_range_end": "2026-01-07"}
    named = [
        alert_sensors.run_title(dg.DagsterRun("__ASSET_JOB", asset_selection=assets, tags=tags))
        for tags in (one_day, days)
    ]
    assert named == ["logs/clicks, logs/sends of 2026-01-06", "logs/clicks, logs/sends of 2026-01-06 to 2026-01-07"]
    assert alert_sensors.run_title(dg.DagsterRun("csv_exports")) == "csv_exports"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return dg.Definitions.merge(
        logs.logs(),
        exports.exports(),
        freshness.freshness(),
        dg.Definitions(
            assets=[publication.published_marts],
            schedules=[dg.ScheduleDefinition(name="nightly", job=refresh_job, cron_schedule="30 3 * * *")],
            resources={"warehouse": WarehouseResource()},
        ),
    )


def _watched(definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance, cursor, repository_def=definitions.get_repository_def(), resources={"warehouse": WarehouseResource()}
    )
    return freshness.freshness_sensor(context)


def _drop_sends(warehouse: AppContext, days_before_due: int) -> str:
    day = last_due_date(now(), warehouse.settings.log_grace_hours) - timedelta(days=days_before_due)
    file = warehouse.settings.landing / Log.SENDS / f"{day}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return str(day)


def test_a_late_log_is_a_check_that_warns_and_an_alert_and_both_are_over_when_it_has_come(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    _drop_sends(warehouse, 1)
    found = _watched(definitions, instance)
    (late,) = [event for event in found.asset_events if not event.passed]
    assert (late.asset_key, late.check_name) == (dg.AssetKey(["logs", "sends"]), "on_time")
    assert late.severity is dg.AssetCheckSeverity.WARN
    assert _watched(definitions, instance, found.cursor).asset_events == [], "nothing new to note"
    day = _drop_sends(warehouse, 0)
    assert late.metadata["late"].value == f"sends: {day}"
    (over,) = _watched(definitions, instance, found.cursor).asset_events
    assert over.passed
    assert receiver.titles == ["late logs", "logs arrived"]


def test_the_checks_can_be_run_by_themselves_and_say_the_same(
    warehouse: AppContext, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    _drop_sends(warehouse, 1)
    job = dg.define_asset_job("checks", dg.AssetSelection.checks(freshness.logs_on_time))
    result = (
        dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
        .resolve_job_def("checks")
        .execute_in_process(instance=instance)
    )
    failed = [told.asset_key.path[-1] for told in result.get_asset_check_evaluations() if not told.passed]
    assert (len(result.get_asset_check_evaluations()), failed) == (len(Log), ["sends"])


def test_figures_are_current_as_of_the_last_good_refresh_whether_or_not_it_found_anything(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """Hours since the last good refresh, and what the check of the published marts says."""

    def refreshed(outcome: str, hours_ago: float) -> None:
        started_at = now() - timedelta(hours=hours_ago)
        warehouse.ledger.record_run(Refresh(started_at, started_at, outcome, ""))

    def found() -> tuple[bool, dg.AssetCheckSeverity] | None:
        events = _watched(definitions, instance).asset_events
        told = {event.asset_key: event for event in events if event.check_name == "current"}
        marts = told.get(publication.PUBLISHED_MARTS)
        assert len(told) == (len(REPORTS) + 1 if marts else 0)
        return marts and (marts.passed, marts.severity)

    assert found() is None, "nothing is published yet"
    warehouse.ledger.record_publication("b1", now() - timedelta(hours=100))
    for report in REPORTS:
        warehouse.ledger.record_export(report, "", "b1", now(), {})
    refreshed("published", 27)
    refreshed("held back", 3)
    assert found() == (False, dg.AssetCheckSeverity.WARN)
    assert receiver.titles == []
    refreshed("published", 31)
    for _ in range(2):
        assert found() == (False, dg.AssetCheckSeverity.ERROR)
    assert receiver.titles == ["figures stale"]
    assert "published/marts: as of 20" in receiver.taken[0]["message"]
    refreshed("nothing new", 1)
    assert found() == (True, dg.AssetCheckSeverity.WARN)
    assert receiver.titles == ["figures stale", "figures current"]


def test_an_export_of_an_older_build_is_as_old_as_the_publication_that_it_lacks(warehouse: AppContext) -> None:
    published_at = now() - timedelta(hours=40)
    warehouse.ledger.record_publication("b1", published_at)
    warehouse.ledger.record_run(Refresh(now(), now(), "nothing new", ""))
    for report in REPORTS[1:]:
        warehouse.ledger.record_export(report, "", "b1", now(), {})
    as_of = freshness_times(warehouse)
    assert as_of[f"exports/{REPORTS[0]}"] == published_at
    assert now() - as_of[f"exports/{REPORTS[1]}"] < timedelta(hours=1)


def _tick(instance: dg.DagsterInstance, state: InstigatorState, status: TickStatus) -> None:
    error = SerializableErrorInfo("no such thing as +447700900123", [], "ValueError")
    instance.create_tick(
        TickData(
            state.instigator_origin_id, state.instigator_name, state.instigator_type, status, now().timestamp(),
            selector_id=state.selector_id, run_ids=[], error=error if status is TickStatus.FAILURE else None,
        )
    )  # fmt: skip


def _running(instance: dg.DagsterInstance, name: str, kind: InstigatorType) -> InstigatorState:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("sendmart"), "__repository__")
    data = ScheduleInstigatorData("30 3 * * *") if kind is InstigatorType.SCHEDULE else None
    origin = RemoteInstigatorOrigin(repository, name)
    return instance.add_instigator_state(InstigatorState(origin, kind, InstigatorStatus.DECLARED_IN_CODE, data))


def test_a_schedule_that_fails_is_told_and_a_sensor_that_does_so_thrice(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    schedule = _running(instance, "nightly", InstigatorType.SCHEDULE)
    sensor = _running(instance, "freshness_sensor", InstigatorType.SENSOR)
    elsewhere = _running(instance, "of another project", InstigatorType.SCHEDULE)
    told = []
    for state, status in (
        (elsewhere, TickStatus.FAILURE),
        (sensor, TickStatus.FAILURE),
        (sensor, TickStatus.FAILURE),
        (schedule, TickStatus.FAILURE),
        (schedule, TickStatus.SUCCESS),
        (sensor, TickStatus.FAILURE),
        (sensor, TickStatus.STARTED),
        (sensor, TickStatus.SKIPPED),
    ):
        _tick(instance, state, status)
        _watched(definitions, instance)
        told.append(len(receiver.taken))
    assert told == [0, 0, 0, 1, 2, 3, 3, 4]
    assert "nightly: no such thing as +44…23" in receiver.taken[0]["message"]
    assert "freshness_sensor: no such thing" in receiver.taken[2]["message"]
