"""The jobs and their schedules in SENDMART_REPORT_TIMEZONE, and the sensor that prunes exports after a refresh. A time that
clocks skip becomes the first moment after the gap; a time that occurs twice means the second. So there is one run a day.

Not here: what starts a refresh during the day (`landing_sensors`), which exports are pruned (`warehouse.export.exports`).
"""

from typing import Any

import dagster as dg

from orchestration import stages
from orchestration.dagster_internals import UnresolvedAssetJobDefinition
from orchestration.defs.exports import GROUP, GROUP_ON_REQUEST
from orchestration.defs.shared import POOL, retry_transient
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY, STARTED_BY_COMMAND
from warehouse.config.settings import load_settings
from warehouse.export import REPORTS
from warehouse.ledger import now

MAX_FILES_SHOWN = 50

Job = dg.JobDefinition | UnresolvedAssetJobDefinition

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP_ON_REQUEST),
    description="Loads new and changed files of the landing zone, builds, audits, publishes and exports."
    " Started by nightly_refresh, by landing_zone, or by `sendmart refresh`: the run's tag sendmart/started_by says"
    " which.",
)
csv_exports = dg.define_asset_job(
    "csv_exports",
    selection=dg.AssetSelection.groups(GROUP),
    description="Exports every scheduled report of the published marts as CSV. Started by daily_exports, or by hand for"
    " another copy of all reports.",
)


@dg.op(
    pool=POOL,
    out=dg.Out(dg.Nothing),
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS, by the time in their file name.",
)
@retry_transient
def delete_old_exports(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    deleted = stages.prune_exports(warehouse.open())
    context.add_output_metadata({"deleted": len(deleted), "files": ", ".join(deleted[:MAX_FILES_SHOWN]) or "none"})


@dg.job(
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS. Started by daily_pruning, and once a day by"
    " prune_after_refresh. `sendmart refresh` runs it itself."
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
def jobs() -> dg.Definitions:
    settings = load_settings()

    def daily(name: str, job: Job, time_of_day: str, started_by: str, **options: Any) -> dg.ScheduleDefinition:
        hour, minute = time_of_day.split(":")
        return dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=f"{int(minute)} {int(hour)} * * *",
            execution_timezone=settings.report_timezone,
            tags={STARTED_BY: started_by},
            default_status=dg.DefaultScheduleStatus.RUNNING,
            **options,
        )

    nightly_refresh = daily(
        "nightly_refresh", refresh, settings.refresh_time, "schedule",
        description="Every night at SENDMART_REFRESH_TIME: loads all files that are new or changed, on any date, and retries"
        " what failed during the day. If there is nothing new, it changes nothing.",
    )  # fmt: skip
    daily_exports = daily(
        "daily_exports", csv_exports, settings.export_time, "export_schedule",
        description="Every day at SENDMART_EXPORT_TIME: writes the exports of the published build that the refresh could"
        " not write or that were deleted since.",
        run_config={"ops": {f"exports__{report}": {"config": {"skip_if_exported": True}} for report in REPORTS}},
    )  # fmt: skip
    daily_pruning = daily(
        "daily_pruning", prune_exports, settings.export_time, "export_schedule",
        description="Every day at SENDMART_EXPORT_TIME: deletes old exports.",
    )  # fmt: skip
    return dg.Definitions(
        jobs=[refresh, csv_exports, prune_exports],
        schedules=[nightly_refresh, daily_exports, daily_pruning],
        sensors=[prune_after_refresh],
    )
