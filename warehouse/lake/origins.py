"""The log file and the row that an order or a cost came from, for error messages.

Not here: all rows behind a figure (`warehouse.explain`).
"""

from glob import escape

import duckdb

from models.enums import Log
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal


def origin_of_order(connection: duckdb.DuckDBPyConnection, paths: DataPaths, order_id: str) -> str:
    """The file and row number of the latest state of an order."""
    return _origin(connection, paths, Log.ORDERS, "order_id", order_id, "updated_at desc, status")


def origin_of_cost(connection: duckdb.DuckDBPyConnection, paths: DataPaths, message_id: str) -> str:
    """The file and row number of the greatest cost of a message."""
    return _origin(connection, paths, Log.SENDS, "message_id", message_id, "cost desc nulls last")


def _origin(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, log: Log, key: str, value: str, order_by: str
) -> str:
    enable_s3(connection, paths.lake)
    files = literal(f"{escape(str(paths.lake / log))}/*/*.parquet")
    rows = connection.execute(
        f"select source_file, row_number from read_parquet({files}, union_by_name = true, hive_partitioning = false)"
        f" where {key} = ? order by {order_by}, source_file, row_number limit 1",
        [value],
    ).fetchall()
    return "".join(f"{log}/{source_file}, row {row_number}" for source_file, row_number in rows)
