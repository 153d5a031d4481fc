"""Jobs and schedules: what runs together, and when.

The clock of the schedules is SENDMART_REPORT_TIMEZONE. Where clocks are put forward, a time that does not exist is the
first moment after the gap; where they are put back, a time that comes twice is the second: one run each.

Not here: what starts a refresh by day (`landing`).
"""

import dagster as dg

from orchestration.defs.exports import GROUP, GROUP_ON_REQUEST
from orchestration.run_refresh import STARTED_BY
from warehouse.config.settings import load_settings
from warehouse.export.exports import REPORTS

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP_ON_REQUEST),
    description="Loads what is new or changed in the landing zone, builds, audits, publishes, exports and prunes."
    " Started by nightly_refresh, by landing_zone, or by `sendmart refresh`: the run's tag sendmart/started_by says"
    " which.",
)
csv_exports = dg.define_asset_job(
    "csv_exports",
    selection=dg.AssetSelection.groups(GROUP),
    description="Exports every report of the published marts as CSV and prunes old exports. Started by daily_exports,"
    " or by hand for another copy of all reports.",
)


def _cron(time_of_day: str) -> str:
    hour, minute = time_of_day.split(":")
    return f"{int(minute)} {int(hour)} * * *"


@dg.definitions
def jobs() -> dg.Definitions:
    settings = load_settings()
    nightly = dg.ScheduleDefinition(
        name="nightly_refresh",
        job=refresh,
        cron_schedule=_cron(settings.refresh_time),
        execution_timezone=settings.report_timezone,
        tags={STARTED_BY: "schedule"},
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night at SENDMART_REFRESH_TIME: takes whatever is left in the landing zone, on whatever dates,"
        " and tries again what failed by day. With nothing new it does nothing.",
    )
    daily = dg.ScheduleDefinition(
        name="daily_exports",
        job=csv_exports,
        cron_schedule=_cron(settings.export_time),
        execution_timezone=settings.report_timezone,
        run_config={"ops": {f"exports__{report}": {"config": {"skip_if_exported": True}} for report in REPORTS}},
        tags={STARTED_BY: "export_schedule"},
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every day at SENDMART_EXPORT_TIME: writes those exports of the published build that the refresh could"
        " not write or that were deleted since, and prunes old ones.",
    )
    return dg.Definitions(jobs=[refresh, csv_exports], schedules=[nightly, daily])
