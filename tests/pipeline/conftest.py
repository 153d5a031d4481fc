"""The Dagster definitions, built once for all tests of the pipeline, on the data folder of the small case."""

import dagster as dg
import pytest

from orchestration.resources import WarehouseResource
from tests.running import RefreshedWarehouse, environment


def with_resource(definitions: dg.Definitions, resource: WarehouseResource) -> dg.Definitions:
    """The same definitions on another data folder."""
    return dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        jobs=definitions.jobs,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
        executor=definitions.executor,
        resources={"warehouse": resource},
    )


@pytest.fixture(scope="session")
def small_resource(refreshed_small: RefreshedWarehouse) -> WarehouseResource:
    """The resource of the small case, independent of the environment."""
    data = str(refreshed_small.warehouse.paths.data)
    landing = str(refreshed_small.landing)
    return WarehouseResource(
        settings={"data": data, "landing": landing, "max_rejected_share": "1", "insights": "false"}
    )


@pytest.fixture(scope="session")
def definitions(refreshed_small: RefreshedWarehouse, small_resource: WarehouseResource) -> dg.Definitions:
    from orchestration.definitions import defs

    with environment(refreshed_small.environment):
        return with_resource(defs(), small_resource)
