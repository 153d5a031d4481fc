"""What Dagster's sensors and checks report to a real receiver: ended runs, late logs, stale figures, failing schedules.

The tests call the sensors in place of Dagster's daemon. Instance and sensors are real.
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
from orchestration.defs import exports, freshness, logs, publication, run_status_sensors
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
    """The event that the process of a run records when Dagster ends it."""
    kind = "DagsterExecutionInterruptedError"
    return dg.DagsterEvent(
        dg.DagsterEventType.STEP_FAILURE.value, job.name, step_key="logs__sends",
        event_specific_data=StepFailureData(SerializableErrorInfo(f"dagster._core.errors.{kind}\n", [], kind), None),
    )  # fmt: skip


def _evaluate_sensor(
    sensor: dg.RunStatusSensorDefinition,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    why: str | None,
    *,
    is_interrupted: bool = False,
    **tags: str,
) -> None:
    """Evaluates a run status sensor on a run that ended: with success, or for the reason `why`."""
    run = instance.create_run_for_job(job, tags=tags)
    kind = dg.DagsterEventType.RUN_SUCCESS if why is None else dg.DagsterEventType.RUN_FAILURE
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=job.name, message=why)
    instance.report_dagster_event(event, run.run_id)
    if is_interrupted:
        instance.report_dagster_event(_interrupted(job), run.run_id)
    context = dg.build_run_status_sensor_context(
        sensor.name, event, instance, instance.get_run_by_id(run.run_id), resources={"warehouse": WarehouseResource()}
    )
    sensor(context)


@pytest.mark.parametrize("is_interrupted", [True, False])
def test_a_refresh_that_dagster_ended_has_failed(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, is_interrupted: bool
) -> None:
    """A run that timed out has no failed step, or one with nothing but the interruption."""
    why = "Exceeded maximum runtime of 10 seconds."
    _evaluate_sensor(
        run_status_sensors.record_refresh_failure,
        instance,
        refresh_job,
        "Exceeded maximum runtime of 10 seconds.",
        is_interrupted=is_interrupted,
    )
    last = warehouse.ledger.last_refresh()
    assert (last.outcome, last.message.partition(":")[0]) == ("failed", "refresh-not-finished")
    assert now() - last.started_at < timedelta(minutes=5)
    _evaluate_sensor(run_status_sensors.record_refresh_success, instance, refresh_job, None)
    assert receiver.titles == ["refresh failed", "refresh recovered"]
    assert why in receiver.alerts[0]["message"]


def test_sensors_do_not_report_runs_that_dagster_retries_or_that_the_command_line_started(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    for sensor, job in (
        (run_status_sensors.record_refresh_failure, refresh_job),
        (run_status_sensors.alert_on_run_failure, exports_job),
    ):
        _evaluate_sensor(sensor, instance, job, "killed", **{"dagster/will_retry": "true"})
        _evaluate_sensor(sensor, instance, job, "killed", **STARTED_BY_COMMAND)
    _evaluate_sensor(run_status_sensors.alert_on_run_failure, instance, refresh_job, "killed")
    assert receiver.titles == []


def test_exports_that_fail_and_recover_are_reported(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    for why in ("killed", None, None):
        _evaluate_sensor(
            run_status_sensors.alert_on_run_recovery if why is None else run_status_sensors.alert_on_run_failure,
            instance,
            exports_job,
            why,
        )
    assert receiver.titles == ["exports failed", "exports recovered"]
    assert "killed" in receiver.alerts[0]["message"]


def test_a_reload_is_named_by_its_assets_and_dates() -> None:
    """So another reload that succeeds is not its recovery."""
    assets = frozenset({dg.AssetKey(["logs", "sends"]), dg.AssetKey(["logs", "clicks"])})
    one_day = {"dagster/partition": "2026-01-06"}
    days = {"dagster/asset_partition_range_start": "2026-01-06", "dagster/asset_partition_range_end": "2026-01-07"}
    titles = [
        run_status_sensors.run_title(dg.DagsterRun("__ASSET_JOB", asset_selection=assets, tags=tags))
        for tags in (one_day, days)
    ]
    assert titles == ["logs/clicks, logs/sends of 2026-01-06", "logs/clicks, logs/sends of 2026-01-06 to 2026-01-07"]
    assert run_status_sensors.run_title(dg.DagsterRun("csv_exports")) == "csv_exports"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return dg.Definitions.merge(
        logs.logs(),
        exports.exports(),
        freshness.freshness(),
        publication.publication(),
        dg.Definitions(
            schedules=[dg.ScheduleDefinition(name="nightly", job=refresh_job, cron_schedule="30 3 * * *")],
            resources={"warehouse": WarehouseResource()},
        ),
    )


def _evaluate_freshness(
    definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
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


def test_a_late_log_is_a_warning_check_and_an_alert_until_its_file_arrives(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    _drop_sends(warehouse, 1)
    result = _evaluate_freshness(definitions, instance)
    (late,) = [event for event in result.asset_events if not event.passed]
    assert (late.asset_key, late.check_name) == (dg.AssetKey(["logs", "sends"]), "on_time")
    assert late.severity is dg.AssetCheckSeverity.WARN
    assert _evaluate_freshness(definitions, instance, result.cursor).asset_events == [], "nothing has changed"
    day = _drop_sends(warehouse, 0)
    assert late.metadata["late"].value == f"sends: {day}"
    (arrived,) = _evaluate_freshness(definitions, instance, result.cursor).asset_events
    assert arrived.passed
    assert receiver.titles == ["late logs", "logs arrived"]


def test_an_ignored_file_is_a_warning_check_of_its_log_or_of_the_marts_and_an_alert(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    for name in ("clicks/20261121.jsonl", "clicks/notes", "Orders-2026-01-05.csv", "notes"):
        path = warehouse.settings.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    result = _evaluate_freshness(definitions, instance)
    failed = {event.asset_key.path[-1]: event for event in result.asset_events if not event.passed}
    counts = {asset: event.metadata["files_ignored"].value for asset, event in failed.items()}
    assert counts == {"clicks": 2, "orders": 1, "marts": 1}
    assert {event.check_name for event in failed.values()} == {"nothing_ignored"}
    assert "rename it to orders/2026-01-05.csv" in failed["orders"].metadata["ignored"].value
    path.unlink()
    (resolved,) = _evaluate_freshness(definitions, instance, result.cursor).asset_events
    assert (resolved.asset_key, resolved.passed) == (publication.PUBLISHED_MARTS, True)
    assert receiver.titles == ["files ignored"]


def test_the_checks_give_the_same_results_when_they_run_in_a_job(
    warehouse: AppContext, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    _drop_sends(warehouse, 1)
    job = dg.define_asset_job("checks", dg.AssetSelection.checks(freshness.logs_on_time))
    result = (
        dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
        .resolve_job_def("checks")
        .execute_in_process(instance=instance)
    )
    failed = [check.asset_key.path[-1] for check in result.get_asset_check_evaluations() if not check.passed]
    assert (len(result.get_asset_check_evaluations()), failed) == (len(Log), ["sends"])


def test_figures_are_fresh_as_of_the_last_successful_refresh_even_without_new_files(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    def record_refresh(outcome: str, hours_ago: float) -> None:
        started_at = now() - timedelta(hours=hours_ago)
        warehouse.ledger.record_run(Refresh(started_at, started_at, outcome, ""))

    def marts_check() -> tuple[bool, dg.AssetCheckSeverity] | None:
        events = _evaluate_freshness(definitions, instance).asset_events
        checks = {event.asset_key: event for event in events if event.check_name == "current"}
        marts = checks.get(publication.PUBLISHED_MARTS)
        assert len(checks) == (len(REPORTS) + 1 if marts else 0)
        return marts and (marts.passed, marts.severity)

    assert marts_check() is None, "nothing is published yet"
    warehouse.ledger.record_publication("b1", now() - timedelta(hours=100))
    for report in REPORTS:
        warehouse.ledger.record_export(report, "", "b1", now(), {})
    record_refresh("published", 27)
    record_refresh("held back", 3)
    assert marts_check() == (False, dg.AssetCheckSeverity.WARN)
    assert receiver.titles == []
    record_refresh("published", 31)
    for _ in range(2):
        assert marts_check() == (False, dg.AssetCheckSeverity.ERROR)
    assert receiver.titles == ["figures stale"]
    assert "published/marts: as of 20" in receiver.alerts[0]["message"]
    record_refresh("nothing new", 1)
    assert marts_check() == (True, dg.AssetCheckSeverity.WARN)
    assert receiver.titles == ["figures stale", "figures current"]


def test_an_export_of_an_older_build_is_fresh_as_of_the_publication_that_it_lacks(warehouse: AppContext) -> None:
    published_at = now() - timedelta(hours=40)
    warehouse.ledger.record_publication("b1", published_at)
    warehouse.ledger.record_run(Refresh(now(), now(), "nothing new", ""))
    for report in REPORTS[1:]:
        warehouse.ledger.record_export(report, "", "b1", now(), {})
    as_of = freshness_times(warehouse)
    assert as_of[f"exports/{REPORTS[0]}"] == published_at
    assert now() - as_of[f"exports/{REPORTS[1]}"] < timedelta(hours=1)


def _tick(instance: dg.DagsterInstance, state: InstigatorState, status: TickStatus) -> None:
    error = SerializableErrorInfo("no such column +447700900123", [], "ValueError")
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


def test_a_schedule_is_reported_after_one_failure_and_a_sensor_after_three(
    warehouse: AppContext, receiver: Receiver, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    schedule = _running(instance, "nightly", InstigatorType.SCHEDULE)
    sensor = _running(instance, "freshness_sensor", InstigatorType.SENSOR)
    elsewhere = _running(instance, "of another project", InstigatorType.SCHEDULE)
    alerts_after = []
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
        _evaluate_freshness(definitions, instance)
        alerts_after.append(len(receiver.alerts))
    assert alerts_after == [0, 0, 0, 1, 2, 3, 3, 4]
    assert "nightly: no such column +44…23" in receiver.alerts[0]["message"]
    assert "freshness_sensor: no such column" in receiver.alerts[2]["message"]
