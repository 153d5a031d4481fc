"""The sensors on the landing zone. `landing_zone` requests a refresh of the log dates that have new or changed files, or
whose rows in the lake changed since the last build. `backfill_materializations` reports log dates that only the ledger knows.

Not here: when a file is ready to be loaded (`warehouse.ingest.arrivals`), the run (`jobs`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, groupby

import dagster as dg
from filelock import Timeout

from models.enums import Log
from orchestration import stages
from orchestration.defs.jobs import refresh
from orchestration.defs.logs import asset_key, materialization
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY, STARTED_BY_COMMAND
from orchestration.stages import AppContext
from warehouse.ingest import arrivals
from warehouse.ingest.arrivals import LAKE, Arrival, Arrivals, Evaluation, SensorCursor
from warehouse.landing import completeness
from warehouse.ledger import now

SENSOR_INTERVAL_SECONDS = 30
MAX_NAMES_SHOWN = 5
MAX_DATES_PER_TICK = 200
"""They take about six seconds on SQLite; Dagster ends a tick after a minute."""

UNFINISHED = [dg.DagsterRunStatus[name] for name in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")]


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=SENSOR_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a refresh of the log dates that have new or changed files, once the files are the same at two ticks."
    " Also starts one after a date was reloaded by hand, to build, audit and publish. It starts one run for each state of"
    " the files: if that run fails or is held back, nightly_refresh retries. Files that are deleted from the landing zone"
    " change nothing: the lake keeps their rows.",
)
def landing_zone(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult | dg.SkipReason:
    opened = warehouse.open()
    if writer := _current_writer(context.instance, opened):
        return dg.SkipReason(f"waiting for {writer}")
    ledger = opened.ledger
    arrived = arrivals.find_arrivals(opened.scan_landing().files, ledger.recorded_stats())
    lake = arrivals.unbuilt_changes(ledger.open_changes(), ledger.last_change(), ledger.last_refresh())
    evaluation = arrivals.evaluate(
        SensorCursor.of(context.cursor),
        Arrivals([*arrived.pending, *([lake] if lake else [])], arrived.loaded, arrived.gone),
        now().timestamp(),
    )
    for name in evaluation.vanished:
        context.log.warning("%s was deleted from the landing zone before it was loaded", name)
    cursor = evaluation.cursor.as_text()
    if not evaluation.due:
        return dg.SensorResult(skip_reason=dg.SkipReason(_skip_message(arrived, evaluation)), cursor=cursor)
    return dg.SensorResult(run_requests=[_refresh_request(evaluation.due)], cursor=cursor)


def _current_writer(instance: dg.DagsterInstance, warehouse: AppContext) -> str | None:
    """The run or process that writes to the data folder, or will soon; None if there is none."""
    for run in instance.get_runs(dg.RunsFilter(job_name=refresh.name, statuses=UNFINISHED)):
        # A run of `sendmart refresh` may have been killed. The lock shows whether it is alive.
        if not STARTED_BY_COMMAND.items() <= run.tags.items():
            return f"the refresh that is queued or running: run {run.run_id}"
    try:
        with warehouse.paths.writer_lock(timeout=0):
            return None
    except Timeout:
        return "the process that is writing to the data folder: a load, or `sendmart`"


def _refresh_request(due: Sequence[Arrival]) -> dg.RunRequest:
    files = [arrival for arrival in due if arrival.name != LAKE]
    dates = _by_log(files)
    config = {f"logs__{log}": {"config": {"dates": [str(day) for day in dates.get(log, [])]}} for log in Log}
    days = (f"{log} {completeness.format_ranges(days)}" for log, days in _by_log(due).items())
    tags = {STARTED_BY: "landing_zone" if files else "manual_load", "sendmart/days": "; ".join(days)}
    return dg.RunRequest(run_key=arrivals.run_key(due), run_config={"ops": config}, tags=tags)


def _by_log(due: Iterable[Arrival]) -> dict[Log, list[date]]:
    days = sorted({day for arrival in due for day in arrival.days})
    return {log: [day for _, day in of_log] for log, of_log in groupby(days, key=lambda day: day[0])}


def _skip_message(arrived: Arrivals, evaluation: Evaluation) -> str:
    reasons = []
    if evaluation.changing:
        reasons.append(f"waiting until unchanged: {_names(arrival.name for arrival in evaluation.changing)}")
    if evaluation.already_requested:
        names = _names(arrival.name for arrival in evaluation.already_requested)
        reasons.append(f"requested before and not loaded: {names}; sendmart status says why, nightly_refresh retries")
    if evaluation.vanished:
        reasons.append(f"disappeared before it was loaded: {_names(evaluation.vanished)}")
    if not arrived.pending and not reasons:
        reasons.append(f"nothing new: {len(arrived.loaded)} files were loaded so far")
    if arrived.gone:
        count = len(arrived.gone)
        reasons.append(f"loaded and removed from the landing zone, their rows stay in the lake: {count} files")
    return "; ".join(reasons)


def _names(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return ", ".join(names[:MAX_NAMES_SHOWN]) + more


@dg.sensor(
    minimum_interval_seconds=SENSOR_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports loaded dates that Dagster does not know: of a long history that was loaded at once, of a refresh"
    " with another instance, or from before Dagster's storage was moved or lost. A few hundred at each tick."
    " Starts no run.",
)
def backfill_materializations(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    opened = warehouse.open()
    if writer := _current_writer(context.instance, opened):
        return dg.SkipReason(f"waiting for {writer}, which reports its dates itself")
    fingerprint = opened.ledger.files_fingerprint()
    if context.cursor == fingerprint:
        return dg.SkipReason("no file was loaded since the last tick")
    unknown = [event for log in Log for event in _unreported_dates(context.instance, opened, log)]
    reported = unknown[:MAX_DATES_PER_TICK]
    return dg.SensorResult(
        asset_events=reported,
        skip_reason=dg.SkipReason(f"reported {len(reported)} loaded dates, {len(unknown) - len(reported)} left"),
        cursor=fingerprint if len(reported) == len(unknown) else None,
    )


def _unreported_dates(instance: dg.DagsterInstance, opened: AppContext, log: Log) -> Iterator[dg.AssetMaterialization]:
    reported = instance.get_materialized_partitions(asset_key(log))
    recorded = opened.ledger.files(log)
    by_date = stages.group_by_date(recorded)
    unreported = {day: files for day, files in by_date.items() if day.isoformat() not in reported}
    sizes = stages.file_sizes(opened, log, chain.from_iterable(unreported.values()))
    for day, files in unreported.items():
        yield materialization(log, day, files, recorded, sizes)


@dg.definitions
def landing_sensors() -> dg.Definitions:
    return dg.Definitions(sensors=[landing_zone, backfill_materializations])
