"""Whether logs come on time, and whether what people read is current: checks of a refresh, and looked at every ten minutes
by the sensor `freshness_sensor`, without a run. What is found is told, too.

A log's check `on_time` names the days that are late. The check `current` of the published marts and of each export goes
by the last good refresh, as the ledger has it. A freshness policy of Dagster's would go by the last materialisation, and
a night that finds nothing new materialises nothing: it could not be told from a night that did not run.

Not here: which days are late (`warehouse.landing.completeness`), who is told, and how (`orchestration.notifications`).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from models.enums import Log
from orchestration import notifications, stages
from orchestration.resources import WarehouseResource
from warehouse.export.exports import REPORTS
from warehouse.landing import completeness
from warehouse.ledger import now

WATCH_EVERY_SECONDS = 600

SENSOR_FAILURES = 3

WARN_AFTER, FAIL_AFTER = timedelta(hours=26), timedelta(hours=30)
"""Refreshes are a day apart: two hours more may be a slow one, six are a night that was missed."""

HOUR = timedelta(hours=1)

_FINISHED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]

ON_TIME = {
    log: dg.AssetCheckSpec(
        "on_time",
        asset=dg.AssetKey(["logs", log.value]),
        description="Every day of the log that is due is there (SENDMART_LOG_GRACE_HOURS, SENDMART_DAILY_LOGS).",
    )
    for log in Log
}


CURRENT = {
    asset: dg.AssetCheckSpec(
        "current",
        asset=dg.AssetKey(asset.split("/")),
        description=f"The last good refresh is not long ago: warns after {WARN_AFTER / HOUR:.0f} hours, fails after"
        f" {FAIL_AFTER / HOUR:.0f}.",
    )
    for asset in ("published/marts", *(f"exports/{report}" for report in REPORTS))
}


def _on_time(days: Iterable[date], log: Log) -> dict:
    days = list(days)
    told = ", ".join(completeness.describe_days({log: days}, [log])) or "none"
    return {
        "passed": not days,
        "check_name": ON_TIME[log].name,
        "asset_key": ON_TIME[log].asset_key,
        "severity": dg.AssetCheckSeverity.WARN,
        "metadata": {"late_days": len(days), "late": told},
    }


def _current(as_of: datetime, asset: str) -> dict:
    age = now() - as_of
    return {
        "passed": age < WARN_AFTER,
        "check_name": CURRENT[asset].name,
        "asset_key": CURRENT[asset].asset_key,
        "severity": dg.AssetCheckSeverity.ERROR if age >= FAIL_AFTER else dg.AssetCheckSeverity.WARN,
        "metadata": {"freshness_times": dg.MetadataValue.timestamp(as_of), "hours": round(age / HOUR, 1)},
    }


@dg.multi_asset_check(specs=list(ON_TIME.values()), can_subset=True)
def logs_on_time(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Names the days of each log that are due and not there."""
    late = stages.late_days(warehouse.open())
    for log, spec in ON_TIME.items():
        if spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(**_on_time(late.get(log, ()), log))


@dg.multi_asset_check(specs=list(CURRENT.values()), can_subset=True)
def figures_current(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Tells as of when the published marts and the exports are."""
    for asset, as_of in stages.freshness_times(warehouse.open()).items():
        if CURRENT[asset].key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(**_current(as_of, asset))


@dg.sensor(
    minimum_interval_seconds=WATCH_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks whether logs are late, figures stale, schedules or sensors failing; tells people, and sends what could"
    " not be sent before. Starts no run.",
)
def freshness_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    opened = warehouse.open()
    late, as_of = stages.late_days(opened), stages.freshness_times(opened)
    notifications.of_late_logs(opened, late)
    stale = {asset: moment for asset, moment in as_of.items() if now() - moment >= FAIL_AFTER}
    notifications.of_stale_figures(opened, stale)
    notifications.of_triggers(opened, _failing(context))
    found = [_on_time(late.get(log, ()), log) for log in Log]
    found += [_current(moment, asset) for asset, moment in as_of.items()]
    # Noted are changes: of the days that are late, or from one colour to another.
    shown = {
        one["asset_key"].to_user_string(): [one["passed"], one["severity"].value, one["metadata"].get("late")]
        for one in found
    }
    before = json.loads(context.cursor or "{}")
    changed = [one for one in found if shown[key := one["asset_key"].to_user_string()] != before.get(key)]
    return dg.SensorResult(asset_events=[dg.AssetCheckEvaluation(**one) for one in changed], cursor=json.dumps(shown))


def _failing(context: dg.SensorEvaluationContext) -> dict[str, tuple[datetime, str]]:
    """The schedules and sensors that fail, since when, and of what.

    A sensor is tried again within minutes, so it fails where it did thrice in a row.
    """
    schedules = {schedule.name for schedule in context.repository_def.schedule_defs}
    sensors = {sensor.name for sensor in context.repository_def.sensor_defs}
    failing = {}
    for state in context.instance.all_instigator_state():
        name = state.instigator_name
        if not state.is_running or name not in schedules | sensors:
            continue
        in_a_row = 1 if name in schedules else SENSOR_FAILURES
        ticks = context.instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=in_a_row, statuses=_FINISHED
        )
        if len(ticks) == in_a_row and all(tick.status is TickStatus.FAILURE for tick in ticks):
            error = ticks[0].error
            words = " ".join(error.message.split()) if error else "failed"
            failing[name] = (datetime.fromtimestamp(ticks[-1].timestamp, UTC), words)
    return failing


@dg.definitions
def freshness() -> dg.Definitions:
    return dg.Definitions(asset_checks=[logs_on_time, figures_current], sensors=[freshness_sensor])
