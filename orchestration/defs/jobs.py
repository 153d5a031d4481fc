"""Jobs and schedules: what runs together, and when.

The clock of the schedules is SENDMART_REPORT_TIMEZONE.
"""

import dagster as dg

from warehouse.settings import load_settings

REFRESH_AT = "30 3 * * *"
"""Half past three at night: the files of the day before have long been dropped, and nobody is at work."""

EXPORTS_AT = "0 6 * * *"
"""Six in the morning, after the refresh: whoever comes to work finds the day's files."""

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(),
    description="Loads what is new or changed in the landing zone, builds, audits, publishes, exports and prunes.",
)
csv_exports = dg.define_asset_job(
    "csv_exports",
    selection=dg.AssetSelection.groups("exports"),
    description="Exports every report of the published marts as CSV and prunes old exports.",
)


@dg.definitions
def jobs() -> dg.Definitions:
    time_zone = load_settings().report_timezone
    nightly = dg.ScheduleDefinition(
        name="nightly_refresh",
        job=refresh,
        cron_schedule=REFRESH_AT,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: takes whatever has come since the last refresh.",
    )
    daily = dg.ScheduleDefinition(
        name="daily_exports",
        job=csv_exports,
        cron_schedule=EXPORTS_AT,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every morning: CSV exports of what is published, and pruning.",
    )
    return dg.Definitions(jobs=[refresh, csv_exports], schedules=[nightly, daily])
