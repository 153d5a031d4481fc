"""The dbt project by itself: its unit tests, and that it parses without a setting."""

from tests.running import RefreshedWarehouse, environment
from warehouse.dbt import run_dbt


def test_unit_tests_of_the_models_hold(refreshed_small: RefreshedWarehouse) -> None:
    warehouse = refreshed_small.warehouse
    with environment(refreshed_small.environment):
        results = run_dbt(warehouse.settings, warehouse.paths, ["test", "--resource-type", "unit_test"])
    assert len(results) > 10
    assert {result.node.name: result.message for result in results if result.status != "pass"} == {}


def test_every_data_test_ran_on_the_candidate(refreshed_small: RefreshedWarehouse) -> None:
    ledger = refreshed_small.warehouse.ledger
    recorded = {check.name for check in ledger.checks(ledger.candidate().build_id)}
    assert len(recorded) > 100
    assert "assert_contacts_and_messages_add_up_by_campaign" in recorded
