"""How runs that Dagster started came out, noted in the ledger: `sendmart status` tells of them like of its own.
People are told, too (`orchestration.notifications`). Refreshes of the command line do both themselves.
"""

import dagster as dg

from models.error_codes import Code
from orchestration import notifications
from orchestration.defs.jobs import refresh
from orchestration.defs.shared import failed_steps, started_at, will_be_retried
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY_COMMAND, refresh_outcome
from warehouse.ledger import Refresh, now


def _note(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("the command line has noted this run itself")
    opened = warehouse.open()
    failures = failed_steps(context.instance, run)
    began_at = started_at(context.instance, run)
    if run.status is dg.DagsterRunStatus.FAILURE and not failures:
        ended = Refresh(began_at, now(), "failed", _broken_off(context.dagster_event.message))
    else:
        ended = refresh_outcome(opened, began_at, failures)
    opened.ledger.record_run(ended)
    if not will_be_retried(run):
        notifications.after_refresh(opened, ended, run.run_id)
    return None


def _broken_off(why: str | None) -> str:
    """Of a run that ended without a step that failed: killed, timed out, or never started."""
    code = Code.REFRESH_NOT_FINISHED
    return f"{code}: {why or 'the run broke off'} Refresh again: what was half done is done over. See {code.page}"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes, for `sendmart status`, that a refresh published, or found nothing new; tells people of a recovery."
    " Starts no run.",
)
def record_refresh_success(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _note(context, warehouse)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes, for `sendmart status`, that a refresh was held back or failed, and why; tells people. Starts no run.",
)
def record_refresh_failure(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    return _note(context, warehouse)
