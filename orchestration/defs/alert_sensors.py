"""Alerts on runs that are not refreshes: exports, reloads and backfills; and on schedules and sensors that fail.

Not here: refreshes (`outcomes`), late logs and stale figures (`freshness`), how people are told (`orchestration.notifications`).
"""

import dagster as dg

from orchestration import notifications
from orchestration.defs.jobs import refresh
from orchestration.defs.shared import failed_steps, started_at, will_be_retried
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND


def _tell(
    context: dg.RunStatusSensorContext, warehouse: WarehouseResource, failure: str | None
) -> dg.SkipReason | None:
    run = context.dagster_run
    if run.job_name == refresh.name or STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("told where its outcome is noted")
    if failure is not None and will_be_retried(run):
        return dg.SkipReason("it will be tried again")
    notifications.of_run(
        warehouse.open(), _name(run), run.run_id,
        failure=failure, started_at=started_at(context.instance, run),
    )  # fmt: skip
    return None


def _name(run: dg.DagsterRun) -> str:
    """What a run is called: its job, or, started by hand for some assets, these; and the log dates it is for."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    dates = run.tags.get("dagster/partition") or (f"{first} to {last}" if first else None)
    return (", ".join(assets) or run.job_name) + (f" of {dates}" if dates else "")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people that a run other than a refresh failed, was killed or timed out. Starts no run.",
)
def alert_on_run_failure(context: dg.RunFailureSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    failed = [f"{event.step_key}: {_words(event)}" for event in failed_steps(context.instance, context.dagster_run)]
    return _tell(context, warehouse, "\n".join(failed or [context.failure_event.message or "the run broke off"]))


def _words(event: dg.DagsterEvent) -> str:
    """The innermost error of a failed step, in a line."""
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return " ".join(error.message.split()) if error else "failed"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of the first success of a run other than a refresh after a failure. Starts no run.",
)
def alert_on_run_recovery(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _tell(context, warehouse, None)


@dg.definitions
def alerting() -> dg.Definitions:
    return dg.Definitions(sensors=[alert_on_run_failure, alert_on_run_recovery])
