"""What starts by itself by day: the sensor on the landing zone, and the one that shows which dates are loaded.

`landing_zone` asks for a refresh of the log dates that have files to be taken, or of which the lake has changed since a
build used it; its ticks say what was seen, and why nothing was started.
`backfill_materializations` reports to Dagster the log dates that only the ledger knows.

Not here: when it is time to take a file (`warehouse.ingest.arrivals`), the run (`jobs`).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, groupby

import dagster as dg
from filelock import Timeout

from models.enums import Log
from orchestration import stages
from orchestration.defs.jobs import refresh
from orchestration.defs.logs import loaded_on
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY, STARTED_BY_COMMAND
from orchestration.stages import AppContext
from warehouse.ingest import arrivals
from warehouse.ingest.arrivals import LAKE, Arrival, Arrivals, Evaluation, LogDay, SensorCursor
from warehouse.landing import completeness
from warehouse.ledger import now

LOOK_EVERY_SECONDS = 30
NAMES_TOLD = 5
DATES_REPORTED_AT_A_TIME = 200
"""About six seconds on SQLite: a tick may take a minute."""

AT_WORK = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a refresh of the log dates of which files are new or changed, once these have stayed as they are"
    " between two looks; and one after a date was loaded by hand, to build, audit and publish. The same state starts one"
    " run only: if that fails or is held back, nightly_refresh tries again. Files that are gone from the landing zone"
    " change nothing: the lake keeps what they gave.",
)
def landing_zone(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult | dg.SkipReason:
    opened = warehouse.open()
    if at_work := _at_work(context.instance, opened):
        return dg.SkipReason(f"waiting for {at_work}")
    found = arrivals.arrivals(opened.scan_landing(), opened.ledger)
    lake = arrivals.unbuilt_changes(opened.ledger)
    looked = arrivals.evaluate(
        SensorCursor.of(context.cursor),
        Arrivals([*found.waiting, *([lake] if lake else [])], found.taken, found.gone),
        now().timestamp(),
    )
    for name in looked.vanished:
        context.log.warning("%s has gone from the landing zone before it was taken", name)
    cursor = looked.cursor.as_text()
    if not looked.due:
        return dg.SensorResult(skip_reason=dg.SkipReason(_in_words(found, looked)), cursor=cursor)
    return dg.SensorResult(run_requests=[_refresh_of(looked.due)], cursor=cursor)


def _at_work(instance: dg.DagsterInstance, warehouse: AppContext) -> str | None:
    """Who changes the warehouse at the moment, or is about to."""
    for run in instance.get_runs(dg.RunsFilter(job_name=refresh.name, statuses=AT_WORK)):
        # Of a run of the command line, which may have been killed, the lock tells whether it is alive.
        if not STARTED_BY_COMMAND.items() <= run.tags.items():
            return f"the refresh that is queued or at work: run {run.run_id}"
    try:
        with warehouse.paths.writer_lock(timeout=0):
            return None
    except Timeout:
        return "whoever is writing to the data folder: a load, or `sendmart`"


def _refresh_of(due: Sequence[Arrival]) -> dg.RunRequest:
    files = [one for one in due if one.name != LAKE]
    dates = _by_log(day for one in files for day in one.days)
    return dg.RunRequest(
        run_key=arrivals.run_key(due),
        run_config={
            "ops": {f"logs__{log}": {"config": {"dates": [str(day) for day in dates.get(log, [])]}} for log in Log}
        },
        tags={
            STARTED_BY: "landing zone" if files else "manual_load",
            "sendmart/days": "; ".join(
                f"{log} {completeness.format_ranges(days)}"
                for log, days in _by_log(day for one in due for day in one.days).items()
            ),
        },
    )


def _by_log(days: Iterable[LogDay]) -> dict[Log, list[date]]:
    return {log: [day for _, day in of_log] for log, of_log in groupby(sorted(set(days)), key=lambda day: day[0])}


def _in_words(found: Arrivals, looked: Evaluation) -> str:
    """Why nothing is started."""
    told = []
    if looked.changing:
        told.append(f"waiting until it is seen twice the same: {_names(one.name for one in looked.changing)}")
    if looked.already_requested:
        told.append(
            f"asked for before, and not taken: {_names(one.name for one in looked.already_requested)}; the last run of refresh"
            " says why, nightly_refresh tries again"
        )
    if looked.vanished:
        told.append(f"gone before it was taken: {_names(looked.vanished)}")
    if not found.waiting and not told:
        told.append(f"nothing new: {len(found.taken)} files were taken so far")
    if found.gone:
        told.append(f"taken and gone from the landing zone, what they gave stays in the lake: {len(found.gone)}")
    return "; ".join(told)


def _names(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return ", ".join(names[:NAMES_TOLD]) + more


@dg.sensor(
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Shows dates as loaded that Dagster has no record of: of a long history that was loaded at once, of a"
    " refresh elsewhere, or from before Dagster's own storage was moved or lost. A few hundred at each tick."
    " Starts no run.",
)
def backfill_materializations(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    opened = warehouse.open()
    if at_work := _at_work(context.instance, opened):
        return dg.SkipReason(f"waiting for {at_work}, which tells of its dates itself")
    ledger = opened.ledger
    as_it_is = ledger.files_fingerprint()
    if context.cursor == as_it_is:
        return dg.SkipReason("no file was taken since the last look")
    unknown = [event for log in Log for event in _unknown_dates(context.instance, opened, log)]
    told = unknown[:DATES_REPORTED_AT_A_TIME]
    return dg.SensorResult(
        asset_events=told,
        skip_reason=dg.SkipReason(f"{len(told)} dates shown as loaded, {len(unknown) - len(told)} left"),
        cursor=as_it_is if len(told) == len(unknown) else None,
    )


def _unknown_dates(instance: dg.DagsterInstance, warehouse: AppContext, log: Log) -> Iterator[dg.AssetMaterialization]:
    known = instance.get_materialized_partitions(dg.AssetKey(["logs", log.value]))
    noted = warehouse.ledger.files(log)
    unknown = {day: loaded for day, loaded in stages.by_date(noted).items() if day.isoformat() not in known}
    sizes = stages.bytes_of(warehouse, log, chain.from_iterable(unknown.values()))
    for day, loaded in unknown.items():
        yield loaded_on(log, day, loaded, noted, sizes)


@dg.definitions
def sensors() -> dg.Definitions:
    return dg.Definitions(sensors=[landing_zone, backfill_materializations])
