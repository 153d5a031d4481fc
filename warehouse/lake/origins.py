"""The log file and the row that an order came from, for messages.

Not here: all rows behind a figure (`warehouse.explain`).
"""

from glob import escape

import duckdb

from models.enums import Log
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal


def origin_of_order(connection: duckdb.DuckDBPyConnection, paths: DataPaths, order_id: str) -> str:
    """The file and row number of the latest state of an order."""
    enable_s3(connection, paths.lake)
    files = literal(f"{escape(str(paths.lake / Log.ORDERS))}/*/*.parquet")
    rows = connection.execute(
        f"select source_file, row_number from read_parquet({files}, union_by_name = true, hive_partitioning = false)"
        " where order_id = ? order by updated_at desc, status, source_file, row_number limit 1",
        [order_id],
    ).fetchall()
    return "".join(f"{Log.ORDERS}/{source_file}, row {row_number}" for source_file, row_number in rows)
