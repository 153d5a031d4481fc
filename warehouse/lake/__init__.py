"""The lake: its Parquet files, their integrity, the change feed beside them, and recovery after a crash."""
