"""Sensors that send alerts about runs other than refreshes: exports, pruning, reloads and backfills.

Not here: refreshes (`run_status_sensors`), late logs, stale marts, failing schedules and sensors (`freshness`), the alerts
themselves (`orchestration.notifications`).
"""

import dagster as dg

from orchestration import notifications
from orchestration.defs.jobs import refresh
from orchestration.defs.shared import failed_steps, started_at, will_be_retried
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND


def _alert(
    context: dg.RunStatusSensorContext, warehouse: WarehouseResource, failure: str | None
) -> dg.SkipReason | None:
    run = context.dagster_run
    if run.job_name == refresh.name:
        return dg.SkipReason("record_refresh_success and record_refresh_failure send alerts about refreshes")
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("`sendmart refresh` sends its alerts itself")
    if failure is not None and will_be_retried(run):
        return dg.SkipReason("Dagster will retry the run")
    notifications.notify_run(
        warehouse.open(), run_title(run), run.run_id,
        failure=failure, started_at=started_at(context.instance, run),
    )  # fmt: skip
    return None


def run_title(run: dg.DagsterRun) -> str:
    """The job of a run, or the assets if it was started for some assets by hand; and its log dates."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    dates = run.tags.get("dagster/partition") or (f"{first} to {last}" if first else None)
    return (", ".join(assets) or run.job_name) + (f" of {dates}" if dates else "")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert if a run other than a refresh failed, was killed or timed out. Starts no run.",
)
def alert_on_run_failure(context: dg.RunFailureSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    failures = [f"{event.step_key}: {_message(event)}" for event in failed_steps(context.instance, context.dagster_run)]
    return _alert(context, warehouse, "\n".join(failures or [context.failure_event.message or "the run was killed"]))


def _message(event: dg.DagsterEvent) -> str:
    """The innermost error of a failed step, on one line."""
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return " ".join(error.message.split()) if error else "failed"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert if a run other than a refresh succeeds for the first time after a failure. Starts no run.",
)
def alert_on_run_recovery(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _alert(context, warehouse, None)


@dg.definitions
def alert_sensors() -> dg.Definitions:
    return dg.Definitions(sensors=[alert_on_run_failure, alert_on_run_recovery])
