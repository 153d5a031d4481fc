"""The deletion of old exports: the job `prune_exports`, its schedule, and the sensor that starts it after a refresh.

`sendmart refresh` runs the job itself.

Not here: which files may be deleted (`warehouse.export.exports.prune`).
"""

import dagster as dg

from orchestration import stages
from orchestration.defs.jobs import daily, refresh
from orchestration.defs.shared import POOL, retry_transient
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY, STARTED_BY_COMMAND
from warehouse.config.settings import load_settings
from warehouse.ledger import now

MAX_FILES_SHOWN = 50


@dg.op(
    pool=POOL,
    out=dg.Out(dg.Nothing),
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS, by the time in their file name.",
)
@retry_transient
def delete_old_exports(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    deleted = stages.prune_exports(warehouse.open())
    context.add_output_metadata(
        {"deleted": len(deleted), "files": ", ".join(deleted[:MAX_FILES_SHOWN]) or "none"},
    )


@dg.job(
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS. Started by daily_pruning, and once a day by"
    " prune_after_refresh."
)
def prune_exports() -> None:
    delete_old_exports()


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    request_job=prune_exports,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts prune_exports after the first successful refresh of a day (UTC).",
)
def prune_after_refresh(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    if STARTED_BY_COMMAND.items() <= context.dagster_run.tags.items():
        return dg.SkipReason("`sendmart refresh` prunes by itself")
    # Dagster starts one run for each key: a refresh each hour does not start a pruning run each hour.
    return dg.RunRequest(run_key=now().date().isoformat(), tags={STARTED_BY: "refresh"})


@dg.definitions
def pruning() -> dg.Definitions:
    settings = load_settings()
    schedule = daily(
        "daily_pruning",
        prune_exports,
        settings.export_time,
        settings.report_timezone,
        started_by="export_schedule",
        description="Every day at SENDMART_EXPORT_TIME: deletes old exports.",
    )
    return dg.Definitions(jobs=[prune_exports], schedules=[schedule], sensors=[prune_after_refresh])
