"""Sensors that record how refreshes started by Dagster ended, for `sendmart status`, and send alerts about them.

Refreshes of the command line do both themselves.

Not here: other runs (`alert_sensors`), the alerts themselves (`orchestration.notifications`).
"""

import dagster as dg

from models.error_codes import Code
from orchestration import notifications
from orchestration.defs.jobs import refresh
from orchestration.defs.shared import failed_steps, started_at, will_be_retried
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND, refresh_outcome
from warehouse.ledger import Refresh, now


def _record(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("`sendmart refresh` has recorded this run itself")
    opened = warehouse.open()
    failures = failed_steps(context.instance, run)
    began_at = started_at(context.instance, run)
    if run.status is dg.DagsterRunStatus.FAILURE and not failures:
        ended = Refresh(began_at, now(), "failed", _killed(context.dagster_event.message))
    else:
        ended = refresh_outcome(opened, began_at, failures)
    opened.ledger.record_run(ended)
    if not will_be_retried(run):
        notifications.notify_refresh(opened, ended, run.run_id)
    return None


def _killed(reason: str | None) -> str:
    """The message of a run that ended without a failed step: killed, timed out, or never started."""
    code = Code.REFRESH_NOT_FINISHED
    return f"{code}: {reason or 'the run was killed'} Refresh again: unfinished work is repeated. See {code.page}"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records, for `sendmart status`, that a refresh published a build or found nothing new. Sends an alert if it"
    " is the first success after a failure. Starts no run.",
)
def record_refresh_success(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _record(context, warehouse)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records, for `sendmart status`, that a refresh was held back or failed, and why. Sends an alert. Starts no"
    " run.",
)
def record_refresh_failure(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _record(context, warehouse)


@dg.definitions
def run_status_sensors() -> dg.Definitions:
    return dg.Definitions(sensors=[record_refresh_success, record_refresh_failure])
