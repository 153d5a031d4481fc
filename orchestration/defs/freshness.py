"""Whether logs come on time, and whether what people read is brought up to date: looked at with every refresh, and on its
own every ten minutes, without a run.

A log's check `on_time` names the days that are late. What people read has a freshness policy (`common.FRESH`), which
Dagster's daemon evaluates: every night's run brings it up to date, also where it finds nothing new, so a policy that
fails tells of nights that did not run or did not get through. Late logs, and the policies that fail, are alerts.

Not here: which days are late (`warehouse.lateness`), who is told, and how (`orchestration.alerts`).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.scheduler.instigation import TickStatus

from models.vocabulary import Log
from orchestration import alerts, stages
from orchestration.resources import WarehouseResource
from warehouse import lateness

WATCH_EVERY_SECONDS = 600

SENSOR_FAILURES = 3

_FINISHED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]

ON_TIME = {
    log: dg.AssetCheckSpec(
        "on_time",
        asset=dg.AssetKey(["logs", log.value]),
        description="Every day of the log that is due is there (SENDMART_LOGS_DUE_HOURS, SENDMART_DAILY_LOGS).",
    )
    for log in Log
}


def _evaluated(days: Iterable[date], log: Log) -> dict:
    days = list(days)
    told = ", ".join(lateness.in_lines({log: days}, [log])) or "none"
    return {
        "passed": not days,
        "check_name": ON_TIME[log].name,
        "asset_key": ON_TIME[log].asset_key,
        "severity": dg.AssetCheckSeverity.WARN,
        "metadata": {"late_days": len(days), "late": told},
    }


@dg.multi_asset_check(specs=list(ON_TIME.values()), can_subset=True, name="logs_on_time")
def logs_on_time(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Names the days of each log that are due and not there."""
    late = stages.late_days(warehouse.open())
    for log, spec in ON_TIME.items():
        if spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(**_evaluated(late.get(log, ()), log))


@dg.sensor(minimum_interval_seconds=WATCH_EVERY_SECONDS, default_status=dg.DefaultSensorStatus.RUNNING)
def watch(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Looks whether logs are late, figures stale, schedules or sensors failing; tells people, and sends what could not
    be sent before. It starts no run.
    """
    opened = warehouse.open()
    late = stages.late_days(opened)
    alerts.of_late_logs(opened)
    alerts.of_stale_figures(opened, _stale(context))
    alerts.of_triggers(opened, _failing(context))
    alerts.send_unsent(opened)
    shown = {str(log): [day.isoformat() for day in late.get(log, ())] for log in Log}
    before = json.loads(context.cursor or "{}")
    changed = [log for log in Log if shown[log] != before.get(log)]
    return dg.SensorResult(
        asset_events=[dg.AssetCheckEvaluation(**_evaluated(late.get(log, ()), log)) for log in changed],
        cursor=json.dumps(shown),
    )


def _stale(context: dg.SensorEvaluationContext) -> dict[str, datetime]:
    """The assets of which the freshness policy fails, and since when the daemon has known."""
    graph = context.repository_def.asset_graph
    keys = [key for key in graph.materializable_asset_keys if graph.get(key).freshness_policy]
    states = context.instance.get_freshness_state_records(keys)
    return {
        key.to_user_string(): states[key].updated_at
        for key in sorted(keys)
        if key in states and states[key].freshness_state is FreshnessState.FAIL
    }


def _failing(context: dg.SensorEvaluationContext) -> dict[str, tuple[datetime, str]]:
    """The schedules and sensors that fail: when they did last, and of what.

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
    return dg.Definitions(asset_checks=[logs_on_time], sensors=[watch])
