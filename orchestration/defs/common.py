"""What all assets share: their owner, the resource, and the executor.

Runs are in process: a step costs milliseconds then, where a process of its own would import everything again.
"""

import dagster as dg

from orchestration.resources import WarehouseResource

OWNERS = ["team:data-engineering"]


@dg.definitions
def shared() -> dg.Definitions:
    return dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=dg.in_process_executor)
