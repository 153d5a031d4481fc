"""Prints what a replay has written.

Not here: the replay itself (`warehouse.publish.replay`).
"""

from datetime import date

from rich.table import Table

from orchestration.cli.output.console import console, print_lines, right_aligned, short_path
from warehouse.config import Engine, Settings
from warehouse.publish.replay import Replay

MAX_FILES = 20


def print_replay(settings: Settings, as_of: date, replay: Replay) -> None:
    """Prints the file, the figures in short, and the log files that were replaced later."""
    console.print(
        f"{short_path(replay.file)}: the marts as of log date {as_of}, from {replay.log_files:,} log files, data until"
        f" {replay.data_until}"
    )
    if settings.engine is not Engine.DUCKDB:
        console.print("Built by DuckDB. Spark gives the same figures.")
    table = Table("Figure", *right_aligned("All campaigns"))
    for name, value in replay.figures.items():
        unit = f" {settings.reporting_currency}" if name == "revenue" else ""
        table.add_row(name, f"{value:,}{unit}")
    console.print(table)
    if replay.replaced:
        console.print(
            f"Log files of these dates that were replaced later: {len(replay.replaced):,}. Their content of now counts."
        )
        print_lines(
            [
                f"{file.log}/{file.source_file}, log date {file.log_date}, replaced {file.replaced_at:%Y-%m-%d %H:%M} UTC"
                for file in replay.replaced
            ],
            MAX_FILES,
        )
