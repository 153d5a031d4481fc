"""How runs that Dagster started came out, noted in the ledger: `sendmart status` tells of them like of its own.
People are told, too (`orchestration.alerts`). Refreshes of the command line do both themselves.
"""

from datetime import UTC, datetime

import dagster as dg

from models.runbook import Code
from orchestration import alerts
from orchestration.defs.common import will_be_retried
from orchestration.defs.jobs import refresh
from orchestration.resources import WarehouseResource
from orchestration.running import STARTED_BY_COMMAND, how_it_ended
from warehouse.ledger import Refresh, now


def _note(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("the command line has noted this run itself")
    opened = warehouse.open()
    failures = context.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    stats = context.instance.get_run_stats(run.run_id)
    # One that never started was launched all the same.
    started_at = datetime.fromtimestamp(stats.start_time or stats.launch_time or stats.enqueued_time or 0, UTC)
    if run.status is dg.DagsterRunStatus.FAILURE and not failures:
        ended = Refresh(started_at, now(), "failed", _broken_off(context.dagster_event.message))
    else:
        ended = how_it_ended(opened, started_at, [entry.dagster_event for entry in failures if entry.dagster_event])
    opened.ledger.note_refresh(ended)
    if not will_be_retried(run):
        alerts.after_refresh(opened, ended, run.run_id)
    return None


def _broken_off(why: str | None) -> str:
    """Of a run that ended without a step that failed: killed, timed out, or never started."""
    code = Code.REFRESH_NOT_FINISHED
    return f"{code}: {why or 'the run broke off'} Refresh again: what was half done is done over. See {code.page}"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS, monitored_jobs=[refresh], default_status=dg.DefaultSensorStatus.RUNNING
)
def note_success(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    """Notes that a refresh published, or found nothing new."""
    return _note(context, warehouse)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE, monitored_jobs=[refresh], default_status=dg.DefaultSensorStatus.RUNNING
)
def note_failure(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    """Notes that a refresh was held back or failed, and why."""
    return _note(context, warehouse)
