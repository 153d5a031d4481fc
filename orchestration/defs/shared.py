"""What definitions share: the assets' owner and pool, what is known of a run, the resource, the executor, and which faults
are tried again.

Runs are in process: a step costs milliseconds then, where a process of its own would import everything again.

Not here: limits of time and of pools (`dagster.yaml`).
"""

import faulthandler
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import dagster as dg

from models.error_codes import Code
from orchestration.errors import failure_of
from orchestration.resources import WarehouseResource

OWNERS = ["team:data-engineering"]

POOL = "warehouse"
"""Everything that writes the data folder is in this pool, of one run at a time; the others wait in the queue. Dagster's
pools know only the runs that Dagster started: the lock of the data folder is what nobody passes."""

TRANSIENT_CODES = {Code.FILE_LOCKED, Code.OBJECT_STORE}
"""What may be over in a minute. All else is the same at once again: a full disk, a broken model, a build held back."""

MAX_RETRIES, RETRY_DELAY_SECONDS = 2, 60

AHEAD_SECONDS = 60
"""So long before Dagster would interrupt it at its limit, the process of a run ends itself."""


def retry_transient(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Has a step tried again, some times and after a while, where what it failed of may pass by itself."""
    if not inspect.isgeneratorfunction(compute):
        return _trying_again()(compute)

    @wraps(compute)
    def step(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _trying_again():
            yield from compute(*args, **kwargs)

    return step


@contextmanager
def _trying_again() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if failure_of(error, WarehouseResource().open()).code in TRANSIENT_CODES:
            raise dg.RetryRequested(MAX_RETRIES, RETRY_DELAY_SECONDS) from error
        raise


@dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema)
def in_process(context: dg.InitExecutorContext) -> dg.Executor:
    """Dagster's in-process executor, in a process that cannot hang for ever.

    At the limit of a run (`run_monitoring` in `dagster.yaml`) Dagster would interrupt it. A run that hangs outside of Python
    does not hear that, would hold the lock of the data folder, and the code server, which waits to be heard, would start no
    other run. So the process ends itself before, and writes where each thread stood to standard error.
    """
    limit = context.instance.run_monitoring_max_runtime_seconds
    if limit:
        faulthandler.dump_traceback_later(max(limit - AHEAD_SECONDS, 1), exit=True)
    return dg.in_process_executor.executor_creation_fn(context)


def started_at(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    """When a run started, or, where it never did, when it was asked for."""
    record = instance.get_run_record_by_id(run.run_id)
    return datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp


def failed_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    """The failures of a run's steps; none where it was ended from outside: killed, or timed out."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    return [
        event
        for event in events
        if (error := event.step_failure_data.error) is None or error.cls_name != "DagsterExecutionInterruptedError"
    ]


def will_be_retried(run: dg.DagsterRun) -> bool:
    """Whether a run that failed is tried again by Dagster itself: it is not over yet."""
    return run.tags.get("dagster/will_retry") == "true"


@dg.definitions
def shared() -> dg.Definitions:
    return dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=in_process)
