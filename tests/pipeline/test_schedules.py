"""When the schedules run: by the clock of the report's time zone, once a day, also when clocks are changed."""

from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orchestration.dagster_internals import schedule_execution_time_iterator  # the daemon's own function
from orchestration.defs.jobs import jobs
from tests.running import environment

CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
}


def schedules(**variables: str) -> dict[str, dg.ScheduleDefinition]:
    with environment({f"SENDMART_{name.upper()}": value for name, value in variables.items()}):
        return {schedule.name: schedule for schedule in jobs().schedules}


def moments(schedule: dg.ScheduleDefinition, around: str) -> list[datetime]:
    zone = schedule.execution_timezone
    start = datetime.fromisoformat(around).replace(tzinfo=ZoneInfo(zone)) - timedelta(days=1)
    runs = schedule_execution_time_iterator(start.timestamp(), schedule.cron_schedule, zone)
    return [moment.astimezone(ZoneInfo(zone)) for moment in islice(runs, 4)]


def test_schedules_follow_the_configured_times() -> None:
    by_name = schedules(refresh_time="04:05", export_time="23:00", report_timezone="Asia/Kolkata")
    assert {name: (schedule.cron_schedule, schedule.execution_timezone) for name, schedule in by_name.items()} == {
        "nightly_refresh": ("5 4 * * *", "Asia/Kolkata"),
        "daily_exports": ("0 23 * * *", "Asia/Kolkata"),
        "daily_pruning": ("0 23 * * *", "Asia/Kolkata"),
    }


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("refresh_time", ["00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30"])
def test_every_day_has_one_nightly_refresh_across_clock_changes(zone: str, refresh_time: str) -> None:
    schedule = schedules(refresh_time=refresh_time, report_timezone=zone)["nightly_refresh"]
    for day in CHANGES[zone]:
        ran = moments(schedule, day)
        first = ran[0].date()
        assert [moment.date() for moment in ran] == [first + timedelta(days=number) for number in range(4)]


def test_a_skipped_time_runs_at_the_next_one_and_a_repeated_time_runs_the_second_time() -> None:
    schedule = schedules(refresh_time="02:30", report_timezone="Europe/Berlin")["nightly_refresh"]
    assert "2026-03-29T03:00:00+02:00" in [moment.isoformat() for moment in moments(schedule, "2026-03-29")]
    assert "2026-10-25T02:30:00+01:00" in [moment.isoformat() for moment in moments(schedule, "2026-10-25")]


def test_a_run_says_which_schedule_started_it() -> None:
    started_by = {"nightly_refresh": "schedule", "daily_exports": "export_schedule", "daily_pruning": "export_schedule"}
    for name, value in started_by.items():
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 1, 5, 3, 30))
            (request,) = schedules()[name].evaluate_tick(context).run_requests
        assert request.tags["sendmart/started_by"] == value
