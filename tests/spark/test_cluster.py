"""What the engine counts on in any Spark cluster, tried on the one of the tests.

Not here: the models (`test_marts_equal`).
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from models.enums import Log
from models.logs import EVENT_TIME
from tests.spark.cluster import TIME_ZONE, WORKERS, Cluster
from warehouse.lake.tables import RowWriter, lake_schema, partition

AS_THE_MODELS_WANT_IT = {"spark.sql.timestampType": "TIMESTAMP_NTZ", "spark.sql.session.timeZone": "UTC"}
MOMENTS = [
    datetime(1970, 1, 1),
    datetime(1899, 12, 31, 23, 59, 59, 999_999),
    datetime(2026, 3, 8, 2, 30, 0, 1),  # which no clock in New York showed
    datetime(9999, 12, 31, 23, 59, 59, 999_999),
]
ONE_ROW_OF_EACH_KIND: dict[Log, dict[str, list[Any]]] = {
    Log.SENDS: {
        "message_id": ["m-1", "", " ", "null"],
        "mobile_number": ["+447700900001", None, "None", "\t\n\r\"'\\"],
        "sent_at": MOMENTS,
        "segments": [1, None, 2**31 - 1, 0],
        "provider": [None, None, None, None],
        "cost": [Decimal("999999999999.999999"), Decimal("0.000001"), None, Decimal("0.100000")],
        "source_file": ["2026-01-09.1.jsonl", "é", "日本語 🎉", "a" * 40_000],
        "row_number": [1, 2, 3, 2**63 - 1],
    },
    Log.ORDERS: {
        "ordered_at": MOMENTS,
        "total": [Decimal("99999999999999.9999"), Decimal("-0.0001"), None, Decimal("0.00")],
        "row_number": [1, 2, 3, 4],
    },
    Log.EXCHANGE_RATES: {
        "rate_date": [date(1, 1, 1), date(1582, 10, 10), None, date(9999, 12, 31)],
        "rate": [Decimal("9999999999.9999999999"), Decimal("0.0000000001"), None, Decimal("1.17400000")],
        "row_number": [1, 2, 3, 4],
    },
}


def test_both_workers_run_tasks_of_a_query(spark: Cluster) -> None:
    with spark.connect() as cursor:
        cursor.execute("select distinct reflect('java.lang.System', 'getProperty', 'user.dir') from range(0, 8, 1, 8)")
        where = {Path(folder).relative_to(spark.folder).parts[0] for (folder,) in cursor.fetchall()}
    assert where == {f"worker-{number}" for number in range(1, WORKERS + 1)}


def test_a_table_written_in_one_session_is_read_in_another(spark: Cluster) -> None:
    with spark.connect() as writer:
        writer.execute("create table default.counted using parquet as select id from range(1000)")
        with spark.connect() as reader:
            reader.execute("select count(*), sum(id) from default.counted")
            assert reader.fetchall() == [(1000, 499_500)]
        writer.execute("drop table default.counted")
    assert not (spark.folder / "tables" / "counted").exists()


def test_a_session_has_its_own_settings_only(spark: Cluster) -> None:
    query = "select typeof(cast('2026-01-01 00:00:00' as timestamp)), current_timezone()"
    with spark.connect(AS_THE_MODELS_WANT_IT) as ours, spark.connect() as another:
        ours.execute(query)
        another.execute(query)
        assert ours.fetchall() == [("timestamp_ntz", "UTC")]
        assert another.fetchall() == [("timestamp", TIME_ZONE)]


@pytest.mark.parametrize("log", ONE_ROW_OF_EACH_KIND)
def test_rows_of_the_lake_are_read_exactly(log: Log, spark: Cluster, tmp_path: Path) -> None:
    schema = lake_schema(log)
    rows = pl.DataFrame(ONE_ROW_OF_EACH_KIND[log], schema_overrides=schema)
    rows = rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows)
    path = partition(tmp_path, log, "2026-01-09") / "file.parquet"
    path.parent.mkdir(parents=True)
    writer = RowWriter(path, tmp_path / "temporary.parquet", schema, EVENT_TIME[log])
    writer.write(rows)
    writer.finish().commit()
    with spark.connect(AS_THE_MODELS_WANT_IT) as cursor:
        cursor.execute(f"select * from parquet.`{tmp_path / log}` order by row_number")
        names = [column[0] for column in cursor.description]
        read = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        cursor.execute(f"describe query select * from parquet.`{tmp_path / log}`")
        types = {name: kind for name, kind, _ in cursor.fetchall()}
    assert {row.pop("log_date") for row in read} == {"2026-01-09"}
    # PyHive gives dates as text.
    assert read == [{name: _as_pyhive_gives(value) for name, value in row.items()} for row in rows.to_dicts()]
    assert types == {name: _in_spark(dtype) for name, dtype in schema.items()} | {"log_date": "date"}


def _as_pyhive_gives(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _in_spark(dtype: pl.DataType) -> str:
    """The type of a column of the lake as Spark names it."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    names = {pl.String(): "string", pl.Int32(): "int", pl.Int64(): "bigint", pl.Date(): "date"}
    return names.get(dtype, "timestamp_ntz")
