"""Whether logs arrive on time and under names of log files, and published marts are up to date: checks in every refresh, and
a sensor that sends alerts. Freshness goes by the last successful refresh, not by the last materialization: a refresh that
finds nothing new materializes nothing.

Not here: which days are late (`warehouse.landing.completeness`), the alerts themselves (`orchestration.notifications`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from models.enums import Log
from models.masking import sanitize
from orchestration import notifications, stages
from orchestration.dagster_internals import TickStatus
from orchestration.defs.logs import MAX_NAMES_SHOWN, asset_key
from orchestration.defs.publication import PUBLISHED_MARTS
from orchestration.resources import WarehouseResource
from warehouse.export import REPORTS
from warehouse.landing import LandingZone, completeness
from warehouse.landing.proposals import IgnoredFiles
from warehouse.ledger import now

SENSOR_INTERVAL_SECONDS = 600

SENSOR_FAILURES = 3
"""A sensor is evaluated again within minutes: it counts as failing after this many failed ticks in a row."""

WARN_AFTER, FAIL_AFTER = timedelta(hours=26), timedelta(hours=30)
"""Refreshes are a day apart. Two hours more can be a slow refresh; six hours more mean that one was missed."""

_FINISHED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]

ON_TIME = {
    log: dg.AssetCheckSpec(
        "on_time",
        asset=asset_key(log),
        description="Every day of the log that is due has a file (SENDMART_LOG_GRACE_HOURS, SENDMART_DAILY_LOGS).",
    )
    for log in Log
}

NOTHING_IGNORED = {
    log: dg.AssetCheckSpec(
        "nothing_ignored",
        asset=asset_key(log) if log else PUBLISHED_MARTS,
        description="No file of the landing zone that seems to be of this log is ignored for its name."
        if log
        else "No file of the landing zone is ignored for its name, apart from those that seem to be of a log.",
    )
    for log in (*Log, None)
}
"""The check of each log, and that of the files which seem to be of none."""

CURRENT = {
    asset: dg.AssetCheckSpec(
        "current",
        asset=dg.AssetKey(asset.split("/")),
        description="The last successful refresh is recent: warns after 26 hours, fails after 30.",
    )
    for asset in ("published/marts", *(f"exports/{report}" for report in REPORTS))
}


def _on_time(log: Log, late: Iterable[date]) -> dg.AssetCheckEvaluation:
    days = list(late)
    return dg.AssetCheckEvaluation(
        asset_key=ON_TIME[log].asset_key,
        check_name=ON_TIME[log].name,
        passed=not days,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"late_days": len(days), "late": ", ".join(completeness.describe_days({log: days}, [log])) or "none"},
    )


def _nothing_ignored(zone: LandingZone) -> list[dg.AssetCheckEvaluation]:
    names_by_log: dict[Log | None, list[str]] = {log: [] for log in NOTHING_IGNORED}
    ignored = IgnoredFiles(zone)
    for name in ignored.names:
        names_by_log[ignored.log_of(name)].append(sanitize(ignored.describe(name)))
    return [
        dg.AssetCheckEvaluation(
            asset_key=NOTHING_IGNORED[log].asset_key,
            check_name=NOTHING_IGNORED[log].name,
            passed=not names,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"files_ignored": len(names), "ignored": "\n".join(names[:MAX_NAMES_SHOWN]) or "none"},
        )
        for log, names in names_by_log.items()
    ]


def _current(asset: str, as_of: datetime) -> dg.AssetCheckEvaluation:
    age = now() - as_of
    return dg.AssetCheckEvaluation(
        asset_key=CURRENT[asset].asset_key,
        check_name=CURRENT[asset].name,
        passed=age < WARN_AFTER,
        severity=dg.AssetCheckSeverity.ERROR if age >= FAIL_AFTER else dg.AssetCheckSeverity.WARN,
        metadata={"as_of": dg.MetadataValue.timestamp(as_of), "hours": round(age / timedelta(hours=1), 1)},
    )


def _selected_results(
    context: dg.AssetCheckExecutionContext, evaluations: Iterable[dg.AssetCheckEvaluation]
) -> Iterator[dg.AssetCheckResult]:
    for check in evaluations:
        if check.asset_check_key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.check_name,
                passed=check.passed,
                severity=check.severity,
                metadata=check.metadata,
            )


@dg.multi_asset_check(specs=list(ON_TIME.values()), can_subset=True)
def logs_on_time(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Names the days of each log that are due and have no file."""
    late = stages.late_days(warehouse.open())
    yield from _selected_results(context, (_on_time(log, late.get(log, ())) for log in Log))


@dg.multi_asset_check(specs=list(NOTHING_IGNORED.values()), can_subset=True)
def landing_zone_read(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Names the files of the landing zone that are ignored, and what they should be called."""
    yield from _selected_results(context, _nothing_ignored(warehouse.open().scan_landing()))


@dg.multi_asset_check(specs=list(CURRENT.values()), can_subset=True)
def figures_current(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Reports when the published marts and the exports were last up to date."""
    as_of = stages.freshness_times(warehouse.open())
    yield from _selected_results(context, (_current(asset, moment) for asset, moment in as_of.items()))


@dg.sensor(
    minimum_interval_seconds=SENSOR_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Checks whether logs are late, files ignored, published marts stale, schedules or sensors failing. Sends"
    " alerts, also those"
    " that could not be sent before. Starts no run.",
)
def freshness_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    opened = warehouse.open()
    late, as_of = stages.late_days(opened), stages.freshness_times(opened)
    zone = opened.scan_landing()
    notifications.notify_late_logs(opened, late)
    notifications.notify_ignored_files(opened, zone)
    stale = {asset: moment for asset, moment in as_of.items() if now() - moment >= FAIL_AFTER}
    notifications.notify_stale_figures(opened, stale)
    notifications.notify_triggers(opened, _failing(context))
    checks = [_on_time(log, late.get(log, ())) for log in Log]
    checks += _nothing_ignored(zone)
    checks += [_current(asset, moment) for asset, moment in as_of.items()]
    by_key = {f"{check.asset_key.to_user_string()} {check.check_name}": check for check in checks}
    states = {key: _state(check) for key, check in by_key.items()}
    # Only changes are recorded: other late days, other ignored files, or another colour of a check.
    before = json.loads(context.cursor or "{}")
    changed = [check for key, check in by_key.items() if states[key] != before.get(key)]
    return dg.SensorResult(asset_events=changed, cursor=json.dumps(states))


def _state(check: dg.AssetCheckEvaluation) -> list[object]:
    names = check.metadata.get("late") or check.metadata.get("ignored")
    return [check.passed, check.severity.value, names and names.value]


def _failing(context: dg.SensorEvaluationContext) -> Mapping[str, tuple[datetime, str]]:
    """The schedules that failed once, and sensors that failed `SENSOR_FAILURES` times in a row: since when, and the error."""
    repository = context.repository_def
    assert repository is not None  # Dagster's daemon always sets it
    limits = {schedule.name: 1 for schedule in repository.schedule_defs}
    limits |= {sensor.name: SENSOR_FAILURES for sensor in repository.sensor_defs}
    failing = {}
    for state in context.instance.all_instigator_state():
        limit = limits.get(state.instigator_name)
        if not state.is_running or limit is None:
            continue
        origin, selector = state.instigator_origin_id, state.selector_id
        ticks = context.instance.get_ticks(origin, selector, limit=limit, statuses=_FINISHED)
        if len(ticks) == limit and all(tick.status is TickStatus.FAILURE for tick in ticks):
            message = " ".join(ticks[0].error.message.split()) if ticks[0].error else "failed"
            failing[state.instigator_name] = (datetime.fromtimestamp(ticks[-1].timestamp, UTC), message)
    return failing


@dg.definitions
def freshness() -> dg.Definitions:
    return dg.Definitions(asset_checks=[logs_on_time, landing_zone_read, figures_current], sensors=[freshness_sensor])
