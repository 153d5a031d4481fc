"""Dagster's run launcher, extended so that the run monitor can ask whether the process of a run is alive. Else a run stays
`STARTED` until its time limit after a crash, and the runs behind it stay in the queue.

Not here: what Dagster does with a run whose process died (`run_monitoring` and `run_retries` in `dagster.yaml`).
"""

from dagster import DagsterRun, DefaultRunLauncher, deserialize_value
from filelock import Timeout

from orchestration.dagster_internals import (
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    CheckRunHealthResult,
    DagsterGrpcClient,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
)

RUNNING = CheckRunHealthResult(WorkerStatus.RUNNING)


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs as processes of the code server, and checks their health; also that of runs of `sendmart refresh`, which
    it did not start.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        from orchestration.resources import WarehouseResource
        from orchestration.run_refresh import STARTED_BY_COMMAND

        if STARTED_BY_COMMAND.items() <= run.tags.items():
            # `sendmart refresh` holds the writer's lock from before its run is created until after it has ended.
            try:
                with WarehouseResource().open().paths.writer_lock(timeout=0):
                    return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the process of the run is gone")
            except Timeout:
                return RUNNING
        # The client that Dagster uses to terminate the run: the run's tags hold the address of its code server.
        client: DagsterGrpcClient | None = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]  # Dagster's method has no annotations
        if client is None:  # the run has no address, or has just finished
            return RUNNING
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            if client.socket:  # a code server of `sendmart dev`, which gets a new address at each start
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server of the run is gone")
            # A server's code server comes back at the same address and can answer then. Until then, no run can be started.
            return RUNNING
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return RUNNING
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server has no process for the run")
