"""How runs that Dagster started came out, noted in the ledger: `sendmart status` tells of them like of its own.

Not here: telling people about failures.
"""

from datetime import UTC, datetime

import dagster as dg

from orchestration.defs.jobs import refresh
from orchestration.resources import WarehouseResource
from orchestration.running import STARTED_BY_COMMAND, how_it_ended


def _note(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> dg.SkipReason | None:
    run = context.dagster_run
    if STARTED_BY_COMMAND.items() <= run.tags.items():
        return dg.SkipReason("the command line has noted this run itself")
    opened = warehouse.open()
    failures = context.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    started_at = datetime.fromtimestamp(context.instance.get_run_stats(run.run_id).start_time or 0, UTC)
    opened.ledger.note_refresh(
        how_it_ended(opened, started_at, [entry.dagster_event for entry in failures if entry.dagster_event])
    )
    return None


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
