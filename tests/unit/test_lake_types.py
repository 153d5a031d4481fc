"""A lake with files of releases up to 0.3, whose amounts are decimal(18,2), beside files of this one.

Not here: the upgrade of a whole data folder (`tests/upgrade`).
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from models.enums import Log
from warehouse.config.paths import DataPaths
from warehouse.lake import change_feed, tables
from warehouse.ledger import Change
from warehouse.transform.dbt_runner import DBT_PROJECT

NOON = datetime(2026, 1, 5, 12)
OLD, NEW = pl.Decimal(18, 2), pl.Decimal(18, 4)


def write_orders(paths: DataPaths, day: str, kind: pl.Decimal, totals: list[str]) -> Path:
    file = tables.partition(paths.lake, Log.ORDERS, day) / "orders.parquet"
    schema = tables.lake_schema(Log.ORDERS) | {"total": kind, "refunded_amount": kind}
    writer = tables.RowWriter(file, paths.temp_path(file), schema, None)
    row = {"contact_id": "p", "ordered_at": NOON, "currency": "USD", "status": "placed", "updated_at": NOON}
    row |= {"refunded_amount": Decimal(0), "source_file": f"{day}.csv"}
    rows = [
        row | {"order_id": f"{day} {number}", "total": Decimal(total), "row_number": number}
        for number, total in enumerate(totals, 1)
    ]
    writer.write(pl.DataFrame(rows, schema=schema))
    writer.finish().commit()
    return file


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    paths = DataPaths(tmp_path)
    tables.ensure_lake(paths)
    write_orders(paths, "2026-01-05", OLD, ["12.34", "9999999999999999.99"])
    write_orders(paths, "2026-01-06", NEW, ["12.3456"])
    return paths


def test_the_staging_model_reads_both_types_as_one(paths: DataPaths) -> None:
    model = (DBT_PROJECT / "models" / "staging" / "stg_logs__orders.sql").read_text(encoding="utf-8")
    lake = f"read_parquet('{paths.lake}/orders/*/*.parquet', hive_partitioning = true, union_by_name = true)"
    with duckdb.connect() as connection:
        staged = connection.sql(model.replace('{{ source("logs", "orders") }}', lake))
        assert str(dict(zip(staged.columns, staged.types, strict=True))["total"]) == "DECIMAL(18,4)"
        # Today the third would be rejected.
        assert sorted(staged.select("total").fetchall()) == [(Decimal("12.3400"),), (Decimal("12.3456"),)]


def test_the_change_feed_reads_both_types_as_one(paths: DataPaths) -> None:
    kept = paths.changes / Log.ORDERS / "kept.parquet"
    kept.parent.mkdir(parents=True)
    (paths.lake / "orders" / "log_date=2026-01-05" / "orders.parquet").rename(kept)
    change = Change(1, Log.ORDERS, Path("orders/log_date=2026-01-06/orders.parquet"), kept.relative_to(paths.changes))
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build")
        change_feed.create_views(connection, "build", paths, [change])
        rows = connection.sql("select change, order_id, total from build.changes.orders")
        assert str(rows.types[2]) == "DECIMAL(18,4)"
        assert sorted(rows.fetchall(), key=str) == [
            ("added", "2026-01-06 1", Decimal("12.3456")),
            ("removed", "2026-01-05 1", Decimal("12.3400")),
            ("removed", "2026-01-05 2", None),
        ]


def test_the_empty_file_of_an_older_lake_gets_the_types_of_this_release(paths: DataPaths) -> None:
    empty = tables.empty_file(paths.lake, Log.ORDERS)
    old_schema = tables.lake_schema(Log.ORDERS) | {"total": OLD, "refunded_amount": OLD}
    pl.DataFrame(schema=old_schema).write_parquet(empty)
    tables.ensure_lake(paths)
    assert pl.read_parquet_schema(empty) == tables.lake_schema(Log.ORDERS)
    assert tables.partition(paths.lake, Log.ORDERS, date(1970, 1, 1).isoformat()) == empty.parent


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet" * 100, b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_empty_file_is_written_again(tmp_path: Path, content: bytes) -> None:
    paths = DataPaths(tmp_path / "data")
    tables.ensure_lake(paths)
    file = tables.empty_file(paths.lake, Log.SENDS)
    whole = file.read_bytes()
    file.write_bytes(content)
    tables.ensure_lake(paths)
    assert file.read_bytes() == whole
