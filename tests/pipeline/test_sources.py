"""A landing zone with nothing but raw exports: one refresh, the figures worked out by hand, and Dagster's assets of sources."""

import shutil
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from models.enums import Log
from tests.running import RefreshedWarehouse, environment, refresh_in_process

FIXTURES = Path(__file__).parents[1] / "sources" / "landing"

# By campaign: messages sent, delivered, soft and hard bounces, segments, direct orders, revenue.
FIGURES = {
    # Three of five messages: one was cancelled, one incoming. 30005 is hard, 30003 soft. After the click of ada@example.com,
    # Klaviyo's order of 25.50 and Shopify's of 113.00; WooCommerce's of 59.90 EUR has no rate.
    "spring-twilio": (3, 1, 1, 1, 4, 3, "138.50"),
    "spring-console": (2, 1, 0, 1, 2, 0, "0.00"),  # 30006: a landline
    "spring-vonage": (3, 1, 1, 1, 3, 0, "0.00"),  # 2: absent; rejected
    "spring-sinch": (2, 1, 0, 1, 2, 0, "0.00"),  # aborted; a cancelled one is left out
    "spring-infobip": (3, 1, 1, 1, 4, 0, "0.00"),  # 27: absent; rejected
    "spring-bird": (2, 1, 1, 0, 2, 0, "0.00"),  # 27: absent
    "spring-plivo": (3, 1, 1, 1, 4, 0, "0.00"),  # 420: expired; failed
    "spring-aws": (3, 1, 1, 1, 4, 0, "0.00"),  # unreachable; the media file was refused
}


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory) -> RefreshedWarehouse:
    folder = tmp_path_factory.mktemp("sources")
    shutil.copytree(FIXTURES, folder / "landing")
    return refresh_in_process(folder / "data", folder / "landing")


def test_raw_exports_alone_give_the_figures_worked_out_by_hand(refreshed):
    assert refreshed.outcome == "published", refreshed.message
    with duckdb.connect(str(refreshed.warehouse.paths.published_marts), read_only=True) as marts:
        figures = marts.execute(
            "with statuses as (select campaign_id, count_if(delivery_status = 'soft_bounce') as soft,"
            " count_if(delivery_status = 'hard_bounce') as hard from marts.delivery_status group by campaign_id)"
            " select campaign_id, total_sent, total_delivered, soft, hard, total_segments, direct_orders, revenue::varchar"
            " from marts.campaign_metrics left join statuses using (campaign_id)"
        ).fetchall()
        unmapped = marts.execute("select count(*) from marts.unmapped_receipts").fetchone()
        unsubscribes = marts.execute("select contact_id from marts.attributed_unsubscribes").fetchall()
        unconverted = marts.execute("select order_id from marts.unconverted_orders").fetchall()
    assert {campaign: tuple(row) for campaign, *row in figures} == FIGURES
    assert unmapped == (0,)
    assert unsubscribes == [("bob@example.com",)]
    assert unconverted == [("W901",)]


def test_records_of_every_file_add_up(refreshed):
    files = refreshed.warehouse.ledger.files()
    assert len(files) == 23
    assert all(file.accepted + file.rejected + file.not_selected == file.records for file in files)
    assert {file.source for file in files} == set(refreshed.warehouse.sources)


def test_a_source_is_an_asset_upstream_of_its_logs(refreshed):
    from orchestration.definitions import defs

    with environment(refreshed.environment):
        graph = defs().resolve_asset_graph()
        twilio = dg.AssetKey(["sources", "twilio_bulk_export"])
        assert graph.get(twilio).child_keys == {dg.AssetKey(["logs", log]) for log in (Log.SENDS, Log.RECEIPTS)}
        with dg.DagsterInstance.from_config(str(refreshed.warehouse.paths.dagster_home)) as instance:
            event = instance.get_latest_materialization_event(twilio)
    metadata = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert {name: metadata[name] for name in ("records_read", "records_selected", "rows_accepted", "rows_rejected")} == {
        "records_read": 6, "records_selected": 6, "rows_accepted": 6, "rows_rejected": 0,
    }  # fmt: skip
