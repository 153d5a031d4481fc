"""What definitions share: the assets' owner, freshness, the resource, and the executor.

Runs are in process: a step costs milliseconds then, where a process of its own would import everything again.
"""

from datetime import timedelta

import dagster as dg

from orchestration.resources import WarehouseResource

OWNERS = ["team:data-engineering"]

FRESH = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(hours=30))
"""What people read is brought up to date every night: two hours more than a day warn, six are a night that was missed."""


def will_be_retried(run: dg.DagsterRun) -> bool:
    """Whether a run that failed is tried again by Dagster itself: it is not over yet."""
    return run.tags.get("dagster/will_retry") == "true"


@dg.definitions
def shared() -> dg.Definitions:
    return dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=dg.in_process_executor)
