"""The lake: accepted and rejected rows as Parquet files, their integrity, the change feed, and recovery after a crash.

Not here: how rows get there (`warehouse.ingest`), the record of loaded files (`warehouse.ledger`).
"""
