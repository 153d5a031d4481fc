"""Writes `published/quarantine.duckdb` from the quarantine."""

import duckdb

from warehouse.foundation import DataPaths, atomic_replace, literal, masked_words

LAYOUT = "main"
"""Where the tables are. A published quarantine with another layout is written again: release 0.2 used a schema."""


def publish_quarantine(paths: DataPaths, refused: list[dict[str, object]], *, mask_phone_numbers: bool = False) -> None:
    """Brings `published/quarantine.duckdb` up to date: every row in quarantine, with its numbers as they came or masked,
    and every file refused.
    """
    path = paths.published_quarantine
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.unlink(missing_ok=True)
    files = sorted(str(file) for file in paths.quarantine.glob("*/log_date=*/*.parquet"))
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(temp_path)} as published")
        connection.execute(
            "create table published.rejected_rows (log varchar, log_date date, source_file varchar,"
            " row_number bigint, reasons varchar[], raw_row varchar)"
        )
        if files:
            connection.execute(
                "insert into published.rejected_rows"
                " select split_part(filename, '/', -3), log_date, source_file, row_number, reasons,"
                f" {masked_words('raw_row') if mask_phone_numbers else 'raw_row'}"
                " from read_parquet($files, filename = true, hive_partitioning = true,"
                " hive_types = {'log_date': 'date'})",
                {"files": files},
            )
        connection.execute(
            "create table published.rejected_files (log varchar, log_date date, source_file varchar, reason varchar)"
        )
        if refused:
            connection.executemany(
                "insert into published.rejected_files values ($log, $log_date, $source_file, $reason)",
                refused,
            )
        connection.execute("detach published")
    atomic_replace(temp_path, path)
