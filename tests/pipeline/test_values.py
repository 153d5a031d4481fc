"""Values as programs write them, through to the marts: numbers, times, ids of Parquet, money that does not fit.

Not here: single values (`tests/unit/test_text_types.py`), generated landing zones (`tests/property`).
"""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import stages
from orchestration.errors import failure_of
from orchestration.stages import AppContext
from tests.running import environment, environment_of, mart_rows, refresh_without_dagster, rejected_rows
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached
from warehouse.explain.explainer import Explainer
from warehouse.explain.unconverted import describe_unconverted
from warehouse.transform.build import SumTooLarge
from warehouse.transform.dbt_runner import BuildFailed

UUID = uuid.UUID("0AF1E2D3-C4B5-4968-8776-655443322110")

LOGS = {
    "sends": """message_id,campaign_id,contact_id,mobile_number,sent_at,segments,cost,cost_currency
m1,c1,p1,+447700900001,2026-01-05 08:00:00 UTC,2.0,3.8e-05,USD
m2,c1,p2,+447700900002,2026-01-05t08:00:00z,1,,
m3,c1,p3,+447700900003,2026-01-05 03:00:00.000000000 -0500,1e0,,
""",
    "receipts": """message_id,provider,provider_status,error_code,occurred_at
m1,twilio,undelivered,30003.0,2026-01-05 09:00:00 GMT
m2,twilio,undelivered,30007.0,2026-01-05 09:00:00 GMT
m2,twilio,undelivered,30007,2026-01-05 09:00:00 GMT
""",
    "clicks": """click_id,campaign_id,contact_id,clicked_at
k1,c1,p1,2026-01-05T10:00:00Z
""",
    "orders": """order_id,contact_id,ordered_at,total,currency,status,updated_at
o1,p1,2026-01-05T11:00:00Z,12.345,USD,placed,2026-01-05T11:00:00Z
o2,p1,2026-01-05T11:00:00Z,1.0005,TND,placed,2026-01-05T11:00:00Z
o3,p1,2026-01-05T11:00:00Z,1e13,KWD,placed,2026-01-05T11:00:00Z
o4,p1,2026-01-05T11:00:00Z,0.5,JPY,placed,2026-01-05T11:00:00Z
""",
    "exchange_rates": """rate_date,currency,rate
2026-01-01,KWD,3250.0000000001
2026-01-01,JPY,0.0099999999
""",
}


def drop(landing: Path, name: str, content: str) -> None:
    file = landing / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


@pytest.fixture
def context(tmp_path: Path) -> Iterator[AppContext]:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing", max_rejected_share="1")):
        yield AppContext.of(load_settings())


def test_values_of_programs_and_money_that_does_not_fit(tmp_path: Path, context: AppContext) -> None:
    landing = tmp_path / "landing"
    for log, content in LOGS.items():
        drop(landing, f"{log}/2026-01-05.csv", content)
    sends = {
        "message_id": pa.array([UUID.bytes], pa.uuid()),
        "campaign_id": ["c1"],
        "contact_id": pa.array([2.0**53 - 1]),
        "mobile_number": ["+447700900004"],
        "sent_at": ["2026-01-05T08:00"],
        "segments": pa.array([1.0]),
    }
    pq.write_table(pa.table(sends), landing / "sends" / "2026-01-05.parquet")
    pq.write_table(pa.table(sends | {"contact_id": pa.array([2.0**53])}), landing / "sends" / "2026-01-06.parquet")

    refresh_without_dagster(context, checks=True)
    assert stages.evaluate_gate(context).may_publish
    marts = context.paths.published_marts
    rejected = {(row["source_file"], row["row_number"]) for row in rejected_rows(context.paths.published_quarantine)}
    assert rejected == {("2026-01-05.csv", 3), ("2026-01-06.parquet", 1)}
    statuses = mart_rows(marts, "delivery_status")
    assert {row["message_id"]: row["delivery_status"] for row in statuses} == {
        "m1": "soft_bounce", "m2": "hard_bounce", str(UUID): "pending",
    }  # fmt: skip
    assert {row["error_code"] for row in statuses} == {"30003.0", "30007.0", None}
    (metrics,) = mart_rows(marts, "campaign_metrics")
    assert (metrics["total_segments"], metrics["direct_orders"], metrics["revenue"]) == (4, 4, Decimal("12.35"))
    orders = {row["order_id"]: row for row in mart_rows(marts, "attributed_orders")}
    assert (orders["o1"]["total"], orders["o1"]["revenue"]) == (Decimal("12.3450"), Decimal("12.35"))
    assert (orders["o2"]["total"], orders["o2"]["revenue"]) == (Decimal("1.0005"), None)
    assert orders["o4"]["revenue"] == Decimal("0.00")
    unconverted = mart_rows(marts, "unconverted_orders")
    assert {row["order_id"]: row["reason"] for row in unconverted} == {
        "o2": "no_exchange_rate",
        "o3": "revenue_too_large",
    }
    with attached(published=marts) as connection:
        without_rate, too_large = describe_unconverted(context.settings, context.paths, connection, "published")
    assert without_rate.startswith("Not converted: 1 order, no rate TND→USD on or before")
    assert "base_currency USD" in without_rate
    assert too_large.startswith(
        "Not converted: order o3 (orders/2026-01-05.csv, row 3): its revenue is 10^16 USD or more."
    )

    lines = [
        f"b{number},p1,2026-01-05T12:00:00Z,99999999999999,USD,placed,2026-01-05T12:00:00Z" for number in range(101)
    ]
    header = LOGS["orders"].partition("\n")[0]
    drop(landing, "orders/2026-01-06.csv", "\n".join([header, *lines, lines[7].replace("b7,", "b99x,")]) + "\n")
    with pytest.raises(BuildFailed) as failed:
        refresh_without_dagster(context)
    failure = str(failure_of(failed.value, context))
    assert failure.startswith("sum-too-large: campaign c1: the revenue of its direct orders, ")
    assert "(orders/2026-01-06.csv, row " in failure
    assert mart_rows(marts, "campaign_metrics") == [metrics], "the published build is untouched"
    with (
        duckdb.connect() as connection,
        pytest.raises(SumTooLarge, match=r"^campaign c1: the revenue of its direct orders, "),
    ):
        Explainer(context.settings, context.paths, context.ledger, connection, lambda: False).explain("campaign", "c1")

    drop(landing, "orders/2026-01-06.csv", header + "\n")
    refresh_without_dagster(context)
    assert mart_rows(marts, "campaign_metrics") == [metrics]
