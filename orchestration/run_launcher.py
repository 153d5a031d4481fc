"""How Dagster starts runs, and tells whether one is still at work.

Dagster's own launcher, of which the run monitor can ask nothing: after a crash of the code server, or of the machine, a
run stays `STARTED` until its limit of time, and those that wait for it stay in the queue. This one can be asked.

Not here: what becomes of a run that is found dead (`run_monitoring` and `run_retries` in `dagster.yaml`).
"""

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value
from filelock import Timeout

AT_WORK = CheckRunHealthResult(WorkerStatus.RUNNING)


class WatchedRunLauncher(DefaultRunLauncher):
    """Runs in processes of the code server; runs of `sendmart refresh`, which it did not start, are watched as well."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        from orchestration.run_refresh import STARTED_BY_COMMAND

        if STARTED_BY_COMMAND.items() <= run.tags.items():
            return _health_of_command()
        # The same way as a run is asked to end: by the address that was noted when it was started.
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:  # started by other means, or finished this moment
            return AT_WORK
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            if client.socket:  # of `make dev`, and another each time
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that ran it is gone")
            # On a server it comes back at the same address, and knows. Before, nobody could start the run once more.
            return AT_WORK
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return AT_WORK
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server knows no process that runs it")


def _health_of_command() -> CheckRunHealthResult:
    """`sendmart refresh` holds the writer's lock from before its run is created until after it has ended."""
    from orchestration.resources import WarehouseResource

    try:
        with WarehouseResource().open().paths.writer_lock(timeout=0):
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the process that ran it is gone")
    except Timeout:
        return AT_WORK
