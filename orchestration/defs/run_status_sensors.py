"""Sensors on runs that ended: they record refreshes and send alerts, as `sendmart refresh` does for its own runs.

Not here: late logs, stale marts, failing schedules and sensors (`freshness`), the alerts (`orchestration.notifications`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dagster as dg

from models.error_codes import Code
from orchestration import notifications
from orchestration.defs.jobs import Job, refresh
from orchestration.ping import ping_after
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND, refresh_outcome
from warehouse.ledger import Refresh, now

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def _record(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("`sendmart refresh` has recorded this run itself")
    opened = warehouse.open()
    failures = _failed_steps(context)
    if run.status is FAILURE and not failures:  # killed, timed out, or never started
        code = Code.REFRESH_NOT_FINISHED
        reason = context.dagster_event.message or "the run was killed"
        message = f"{code}: {reason} Refresh again: unfinished work is repeated. See {code.page}"
        ended = Refresh(_started_at(context), now(), "failed", message)
    else:
        ended = refresh_outcome(opened, _started_at(context), failures)
    opened.ledger.record_run(ended)
    if not _will_be_retried(run):
        notifications.notify_refresh(opened, ended, run.run_id)
        ping_after(opened, ended)
    return None


def _alert(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if run.job_name == refresh.name:
        return dg.SkipReason("record_refresh_success and record_refresh_failure send alerts about refreshes")
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("`sendmart refresh` sends its alerts itself")
    failure = None
    if run.status is FAILURE:
        if _will_be_retried(run):
            return dg.SkipReason("Dagster will retry the run")
        failures = [f"{event.step_key}: {_message(event)}" for event in _failed_steps(context)]
        failure = "\n".join(failures or [context.dagster_event.message or "the run was killed"])
    started_at = _started_at(context)
    notifications.notify_run(warehouse.open(), run_title(run), run.run_id, failure=failure, started_at=started_at)
    return None


def run_title(run: dg.DagsterRun) -> str:
    """The job of a run, or the assets if it was started for some assets by hand; and its log dates."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    dates = run.tags.get("dagster/partition") or (f"{first} to {last}" if first else None)
    return (", ".join(assets) or run.job_name) + (f" of {dates}" if dates else "")


def _started_at(context: dg.RunStatusSensorContext) -> datetime:
    """When the run started; if it never did, when it was created."""
    record = context.instance.get_run_record_by_id(context.dagster_run.run_id)
    assert record is not None  # sensors get runs from this instance
    return datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp


def _failed_steps(context: dg.RunStatusSensorContext) -> list[dg.DagsterEvent]:
    """The failures of the run's steps; none if the run was killed or timed out."""
    entries = context.instance.all_logs(context.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    interrupt = "DagsterExecutionInterruptedError"
    return [event for event in events if getattr(event.step_failure_data.error, "cls_name", None) != interrupt]


def _message(event: dg.DagsterEvent) -> str:
    """The innermost error of a failed step, on one line."""
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return " ".join(error.message.split()) if error else "failed"


def _will_be_retried(run: dg.DagsterRun) -> bool:
    return run.tags.get("dagster/will_retry") == "true"


def _sensor(
    name: str,
    react: Callable[[dg.RunStatusSensorContext, WarehouseResource], dg.SkipReason | None],
    run_status: dg.DagsterRunStatus,
    description: str,
    monitored_jobs: Sequence[Job] | None = None,
) -> dg.SensorDefinition:
    """A sensor on the runs of some jobs, or of all jobs."""
    return dg.run_status_sensor(
        run_status,
        name,
        monitored_jobs=monitored_jobs,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{description} Starts no run.",
    )(react)


record_refresh_success = _sensor(
    "record_refresh_success", _record, SUCCESS,
    "Records, for `sendmart status`, that a refresh published a build or found nothing new. Sends an alert if it is the first"
    " success after a failure.",
    monitored_jobs=[refresh],
)  # fmt: skip
record_refresh_failure = _sensor(
    "record_refresh_failure", _record, FAILURE,
    "Records, for `sendmart status`, that a refresh was held back or failed, and why. Sends an alert.",
    monitored_jobs=[refresh],
)  # fmt: skip
alert_on_run_failure = _sensor(
    "alert_on_run_failure", _alert, FAILURE,
    "Sends an alert if a run other than a refresh failed, was killed or timed out.",
)  # fmt: skip
alert_on_run_recovery = _sensor(
    "alert_on_run_recovery", _alert, SUCCESS,
    "Sends an alert if a run other than a refresh succeeds for the first time after a failure.",
)  # fmt: skip


@dg.definitions
def run_status_sensors() -> dg.Definitions:
    sensors = [record_refresh_success, record_refresh_failure, alert_on_run_failure, alert_on_run_recovery]
    return dg.Definitions(sensors=sensors)
