"""What the definitions share: owner and pool of the assets, the resource, the executor, and which errors are retried.

Not here: the limits of runs and pools (`dagster.yaml`).
"""

import faulthandler
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dagster as dg

from models.error_codes import Code
from orchestration.errors import failure_of
from orchestration.resources import WarehouseResource

OWNERS = ["team:data-engineering"]

POOL = "warehouse"
"""Every step that writes to the data folder is in this pool, which admits one run at a time; other runs wait in the queue.
Dagster's pools only see runs that Dagster started. The lock of the data folder keeps out everything else."""

TRANSIENT_CODES = {Code.FILE_LOCKED, Code.OBJECT_STORE}
"""Errors that may be over in a minute. A retry of any other (a full disk, a broken model, a build held back) would fail, too."""

MAX_RETRIES, RETRY_DELAY_SECONDS = 2, 60

EXIT_BEFORE_LIMIT_SECONDS = 60
"""How long before the time limit of a run its process exits by itself."""


def retry_transient(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Makes Dagster retry a step after a delay if it failed with a transient error. The step has a parameter `warehouse`."""
    if inspect.isgeneratorfunction(compute):

        @wraps(compute)
        def step(*args: Any, **kwargs: Any) -> Any:
            with _retry_requested(kwargs["warehouse"]):
                yield from compute(*args, **kwargs)
    else:

        @wraps(compute)
        def step(*args: Any, **kwargs: Any) -> Any:
            with _retry_requested(kwargs["warehouse"]):
                return compute(*args, **kwargs)

    return step


@contextmanager
def _retry_requested(warehouse: WarehouseResource) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if failure_of(error, warehouse.open()).code in TRANSIENT_CODES:
            raise dg.RetryRequested(MAX_RETRIES, RETRY_DELAY_SECONDS) from error
        raise


@dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema.as_field())
def in_process(context: dg.InitExecutorContext) -> dg.Executor:
    """Dagster's in-process executor, in a process that cannot hang forever.

    A run that hangs outside of Python does not receive Dagster's interrupt at its time limit (`run_monitoring` in
    `dagster.yaml`), and would block every other run. So its process exits shortly before, and writes the stack of each thread
    to standard error.
    """
    limit = context.instance.run_monitoring_max_runtime_seconds
    if limit:
        faulthandler.dump_traceback_later(max(limit - EXIT_BEFORE_LIMIT_SECONDS, 1), exit=True)
    create_executor = dg.in_process_executor.executor_creation_fn
    assert create_executor is not None  # an executor without it cannot be selected
    return create_executor(context)


@dg.definitions
def shared() -> dg.Definitions:
    return dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=in_process)
