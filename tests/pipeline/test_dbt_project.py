"""The dbt project by itself: its data tests run, and what a changed model rebuilds.

Not here: its unit tests, which `dbt build` and `dbt test` run (`tests.pipeline.test_dbt_by_hand`).
"""

from tests.running import RefreshedWarehouse, environment
from warehouse.transform.dbt_runner import dbt_manifest
from warehouse.transform.fingerprints import ModelFingerprints


def test_every_data_test_ran_on_the_candidate(refreshed_small: RefreshedWarehouse) -> None:
    ledger = refreshed_small.warehouse.ledger
    recorded = {check.name for check in ledger.checks(ledger.candidate().build_id)}
    assert len(recorded) > 100
    assert "assert_contacts_and_messages_add_up_by_campaign" in recorded


def test_a_full_rebuild_includes_the_models_that_read_its_changes(
    refreshed_small: RefreshedWarehouse,
) -> None:
    """A touched relation tells of rows by the table that is to be brought up to date: with that gone, it tells of none."""
    warehouse = refreshed_small.warehouse
    with environment(refreshed_small.environment):
        manifest = dbt_manifest(warehouse.settings, warehouse.paths)
    fingerprints = ModelFingerprints.of(manifest, warehouse.settings.figure_settings(), "")
    for table, asking in {
        "int_messages_resolved": {"int_receipts_unmapped", "int_receipts_unmatched", "delivery_status", "skip_reasons"},
        "int_campaign_sends_aggregated": {"delivery_status", "int_campaign_contacts_aggregated"},
        "int_unsubscribes_deduplicated": {"int_unsubscribes_attributed"},
    }.items():
        stale = {name.rpartition(".")[2] for name in fingerprints.downstream_of([f"model.sendmart.{table}"])}
        assert asking <= stale, table
    # A setting that a macro reads concerns the models that name the macro, directly or not.
    for setting in ("conversion_window_hours", "reporting_currency"):
        stale = fingerprints.downstream_of([f"setting {setting}"])
        assert "model.sendmart.campaign_metrics" in stale
        assert stale.isdisjoint({"model.sendmart.int_messages_resolved", "model.sendmart.int_clicks_deduplicated"})
