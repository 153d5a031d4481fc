"""The parts of Dagster that Sendmart uses and that Dagster does not export; no other module imports from `dagster._…`.
`tests/unit/test_dagster_internals.py` fails when Dagster is upgraded: check the names then, and raise `CHECKED_WITH`.

Not here: what the parts are used for (`run_launcher`, `defs/`, `tests/pipeline`).
"""

from functools import cache
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.definitions.run_request import InstigatorType as InstigatorType
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as UnresolvedAssetJobDefinition,
)
from dagster._core.errors import DagsterUserCodeUnreachableError as DagsterUserCodeUnreachableError
from dagster._core.execution.plan.objects import StepFailureData as StepFailureData
from dagster._core.instance.ref import InstanceRef as InstanceRef
from dagster._core.launcher import CheckRunHealthResult as CheckRunHealthResult
from dagster._core.launcher import WorkerStatus as WorkerStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin as RegisteredCodeLocationOrigin
from dagster._core.remote_origin import RemoteInstigatorOrigin as RemoteInstigatorOrigin
from dagster._core.remote_origin import RemoteRepositoryOrigin as RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState as InstigatorState
from dagster._core.scheduler.instigation import InstigatorStatus as InstigatorStatus
from dagster._core.scheduler.instigation import ScheduleInstigatorData as ScheduleInstigatorData
from dagster._core.scheduler.instigation import TickData as TickData
from dagster._core.scheduler.instigation import TickStatus as TickStatus
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage as SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS as SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage as DagsterSqliteStorage
from dagster._grpc.client import DagsterGrpcClient as DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest as CanCancelExecutionRequest
from dagster._grpc.types import CanCancelExecutionResult as CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData as ConfigurableClassData
from dagster._utils.schedules import schedule_execution_time_iterator as schedule_execution_time_iterator
from dagster_shared.error import SerializableErrorInfo as SerializableErrorInfo

CHECKED_WITH = "1.13"
"""The release of Dagster that the names below were checked against."""

TMP_DAGSTER_HOME_PREFIX = ".tmp_dagster_home_"
"""How the temporary folder of `dg dev` begins. A copy of the constant in `dagster._cli.utils`, which imports every command of
Dagster; `tests/pipeline/test_dg.py` starts `dg dev`."""

CHECKS_OF_OTHER_ASSETS: dict[str, Any] = {"allow_arbitrary_check_specs": True}
"""A parameter of `@dg.multi_asset` that its signature does not show: the step may report checks of assets that it does not
make. dagster-dbt uses it for tests of sources."""


@cache
def read_migrations_once() -> None:
    """Makes Dagster read its 90 migrations once in a process. It reads them for each database, and for the history of each run,
    to compare the last one with the file's.
    """
    read = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def read_once(config: Config) -> ScriptDirectory:
        folder = config.get_main_option("script_location")
        if folder not in known:
            known[folder] = read(config)
        return known[folder]

    ScriptDirectory.from_config = read_once  # type: ignore[method-assign]
