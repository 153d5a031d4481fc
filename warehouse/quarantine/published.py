"""Writes the published quarantine database, `published/quarantine.duckdb`: rejected rows, refused files, key conflicts.

The tables are in the schema `main`, so both `from rejected_rows` and `from quarantine.rejected_rows` work.

Not here: whether the file is up to date (`orchestration.stages.quarantine`).
"""

from collections.abc import Iterable

from warehouse.config import DataPaths
from warehouse.duckdb_tools import SessionLimits, literal, masked_words, small_session
from warehouse.ledger import LoadedFile
from warehouse.quarantine.key_conflicts import copy_key_conflicts
from warehouse.storage import atomic_replace

LAYOUT = "main, with key_conflicts"
"""The schema and the tables. Release 0.3 had no key conflicts, 0.2 another schema: such a file is written again."""


def write_published_quarantine(
    limits: SessionLimits, paths: DataPaths, files: Iterable[LoadedFile], *, mask_phone_numbers: bool = False
) -> None:
    """Writes every row in quarantine, as it arrived or with masked numbers, those of the loaded `files` that were refused,
    and the key conflicts.
    """
    path = paths.published_quarantine
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.unlink(missing_ok=True)
    parquet_files = sorted(str(file) for file in paths.quarantine.glob("*/log_date=*/*.parquet"))
    refused = [(file.log, file.log_date, file.source_file, file.refusal) for file in files if file.refusal]
    masked_reasons = f"list_transform(reasons, lambda reason: {masked_words('reason')})"
    with small_session(limits) as connection:
        connection.execute(
            f"attach {literal(temp_path)} as published;"
            " create table published.rejected_rows (log varchar, log_date date, source_file varchar,"
            " row_number bigint, reasons varchar[], raw_row varchar);"
            " create table published.rejected_files (log varchar, log_date date, source_file varchar, reason varchar)"
        )
        if parquet_files:
            connection.execute(
                "insert into published.rejected_rows"
                " select split_part(filename, '/', -3), log_date, source_file, row_number,"
                f" {masked_reasons if mask_phone_numbers else 'reasons'},"
                f" {masked_words('raw_row') if mask_phone_numbers else 'raw_row'}"
                " from read_parquet($files, filename = true, hive_partitioning = true,"
                " hive_types = {'log_date': 'date'}, union_by_name = true)",
                {"files": parquet_files},
            )
        if refused:
            connection.executemany("insert into published.rejected_files values (?, ?, ?, ?)", refused)
        copy_key_conflicts(connection, paths, "published.key_conflicts", mask_phone_numbers=mask_phone_numbers)
        connection.execute("detach published")
    atomic_replace(temp_path, path)
