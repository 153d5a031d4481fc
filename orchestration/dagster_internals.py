"""The parts of Dagster that Sendmart uses and that Dagster does not export, checked against `CHECKED_WITH`.

No other module imports from `dagster._…`. `tests/unit/test_dagster_internals.py` fails when one of these names moves, when
another module imports a private module, and when Dagster is upgraded: check the names then, and raise `CHECKED_WITH`.

Not here: what the parts are used for (`run_launcher`, `defs/`, `tests/pipeline`).
"""

from typing import Any

from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_shared.error import SerializableErrorInfo

CHECKED_WITH = "1.13"
"""The release of Dagster that the names below were checked against."""

TMP_DAGSTER_HOME_PREFIX = ".tmp_dagster_home_"
"""How the temporary folder of `dg dev` begins. A copy of the constant in `dagster._cli.utils`, which imports every command of
Dagster; `tests/pipeline/test_dg.py` starts `dg dev`."""

CHECKS_OF_OTHER_ASSETS: dict[str, Any] = {"allow_arbitrary_check_specs": True}
"""A parameter of `@dg.multi_asset` that its signature does not show: the step may report checks of assets that it does not
make. dagster-dbt uses it for tests of sources."""

__all__ = [
    "CHECKED_WITH",
    "CHECKS_OF_OTHER_ASSETS",
    "TMP_DAGSTER_HOME_PREFIX",
    "CanCancelExecutionRequest",
    "CanCancelExecutionResult",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterGrpcClient",
    "DagsterUserCodeUnreachableError",
    "InstanceRef",
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorType",
    "RegisteredCodeLocationOrigin",
    "RemoteInstigatorOrigin",
    "RemoteRepositoryOrigin",
    "ScheduleInstigatorData",
    "SerializableErrorInfo",
    "StepFailureData",
    "TickData",
    "TickStatus",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "schedule_execution_time_iterator",
]
