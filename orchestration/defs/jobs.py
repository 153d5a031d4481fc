"""Jobs of assets, and their schedules.

The schedules use the time zone SENDMART_REPORT_TIMEZONE. When clocks go forward, a time that does not exist becomes the
first moment after the gap. When clocks go back, a time that occurs twice means its second occurrence. In both cases there is
one run a day.

Not here: what starts a refresh during the day (`landing_sensors`), the pruning of exports (`pruning`).
"""

from typing import Any

import dagster as dg

from orchestration.dagster_internals import UnresolvedAssetJobDefinition
from orchestration.defs.exports import GROUP, GROUP_ON_REQUEST
from orchestration.run_refresh import STARTED_BY
from warehouse.config.settings import load_settings
from warehouse.export import REPORTS

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


def daily(
    name: str,
    job: dg.JobDefinition | UnresolvedAssetJobDefinition,
    time_of_day: str,
    timezone: str,
    *,
    started_by: str,
    description: str,
    run_config: dict[str, Any] | None = None,
) -> dg.ScheduleDefinition:
    """A schedule that runs a job every day at a time (HH:MM) and is on from the start."""
    hour, minute = time_of_day.split(":")
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=f"{int(minute)} {int(hour)} * * *",
        execution_timezone=timezone,
        run_config=run_config,
        tags={STARTED_BY: started_by},
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


@dg.definitions
def jobs() -> dg.Definitions:
    settings = load_settings()
    nightly_refresh = daily(
        "nightly_refresh",
        refresh,
        settings.refresh_time,
        settings.report_timezone,
        started_by="schedule",
        description="Every night at SENDMART_REFRESH_TIME: loads all files that are new or changed, on any date, and retries"
        " what failed during the day. If there is nothing new, it changes nothing.",
    )
    daily_exports = daily(
        "daily_exports",
        csv_exports,
        settings.export_time,
        settings.report_timezone,
        started_by="export_schedule",
        run_config={"ops": {f"exports__{report}": {"config": {"skip_if_exported": True}} for report in REPORTS}},
        description="Every day at SENDMART_EXPORT_TIME: writes the exports of the published build that the refresh could"
        " not write or that were deleted since.",
    )
    return dg.Definitions(jobs=[refresh, csv_exports], schedules=[nightly_refresh, daily_exports])
