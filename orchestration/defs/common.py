"""What definitions share: the assets' owner, what is known of a run, the resource, and the executor.

Runs are in process: a step costs milliseconds then, where a process of its own would import everything again.
"""

from datetime import UTC, datetime

import dagster as dg

from orchestration.resources import WarehouseResource

OWNERS = ["team:data-engineering"]


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
    return dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=dg.in_process_executor)
