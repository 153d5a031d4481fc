"""The raw logs: one asset a log, partitioned by log date; its rows are in the lake and in quarantine.

In the refresh job an asset looks for files that are new or changed, on whatever dates, and reports each date that it
touched. Run for a date or a range, it reloads the files of those dates. Both go through `stages.load_changed`. The checks
report and do not block: whether a build may be published is the gate's to say.

Not here: how rows are admitted (`quality.admission`), how files are read and kept (`warehouse/`).
"""

import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from models.logs import COLUMNS, CONTRACTS
from models.masking import harmless
from models.vocabulary import Log
from orchestration import metadata, stages
from orchestration.defs.common import OWNERS
from orchestration.resources import WarehouseResource
from warehouse.lake import lake_preview
from warehouse.quarantine import Reason, reasons_of

FIRST_LOG_DATE = "2020-01-01"
"""Where the partitions begin in the UI; files of earlier dates are loaded all the same."""

MOST_DATES_REPORTED = 100
"""A materialisation event costs about 50 ms: a first load of a long history is reported in sum."""

MOST_REASONS = 10
"""So many reasons of a log are shown, the most frequent first."""

log_dates = dg.DailyPartitionsDefinition(start_date=FIRST_LOG_DATE, end_offset=1)


_CODE = metadata.code_version(
    "models/logs.py", "models/text.py", "models/vocabulary.py", "quality/admission.py", "warehouse/readers"
)


class LoadConfig(dg.Config):
    """How an asset looks for work in an unpartitioned run."""

    verify: bool = False


def _reasons(reasons: list[Reason]) -> str:
    """Why rows are in quarantine, as Markdown: counts and a place to look at; no row itself, which is somebody's data."""
    lines = ["| reason | rows | first in |", "| --- | --- | --- |"]
    lines += [
        f"| {told.reason.replace('|', chr(92) + '|')} | {told.rows} | {told.source_file}, row {told.row_number} |"
        for told in reasons
    ]
    return "\n".join(lines) if reasons else "none"


def _dates_of(context: dg.AssetExecutionContext) -> list[date] | None:
    """The dates that a run was asked for; None where it is to look for work by itself."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    return [date.fromisoformat(key) for key in context.partition_keys]


def _asset_of(log: Log) -> dg.AssetsDefinition:
    check = dg.AssetCheckSpec(
        "admitted",
        asset=dg.AssetKey(["logs", log.value]),
        description="No file of the log stands refused, and no row of it in quarantine.",
    )

    @dg.asset(
        name=log.value,
        key_prefix="logs",
        partitions_def=log_dates,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="logs",
        owners=OWNERS,
        kinds={"parquet", "pandera"},
        tags=metadata.tags("logs", (column.name for column in COLUMNS[log])),
        code_version=_CODE,
        metadata={metadata.COLUMN_SCHEMA: metadata.log_schema(log)},
        description=f"{CONTRACTS[log].__doc__} Accepted rows in the lake, the others in quarantine with their reasons.",
        check_specs=[check],
    )
    def load(context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource) -> Iterator[Any]:
        opened = warehouse.open()
        dates = _dates_of(context)
        started = time.perf_counter()
        loaded = stages.load_changed(opened, log, dates=dates, verify=config.verify)
        seconds = time.perf_counter() - started
        noted = opened.ledger.files(log)
        touched = stages.by_date(loaded)
        sizes = stages.bytes_of(opened, log, loaded)

        def of_date(day: date) -> dict[str, Any]:
            rows = {metadata.PARTITION_ROW_COUNT: metadata.rows_in_lake(noted, day)}
            return rows | metadata.of_loaded(touched.get(day, []), sizes)

        if dates is not None:
            # What is said of the run as a whole below, Dagster would say of each date.
            for day in dates:
                context.add_asset_metadata(of_date(day), partition_key=day.isoformat())
        elif len(touched) <= MOST_DATES_REPORTED:
            for day in touched:
                context.log_event(
                    dg.AssetMaterialization(context.asset_key, partition=day.isoformat(), metadata=of_date(day))
                )
        ignored = [name for name in opened.scan_landing().ignored if name.startswith(f"{log}/")]
        shown: dict[str, Any] = {metadata.ROW_COUNT: metadata.rows_in_lake(noted)}
        if loaded:
            shown["seconds"] = round(seconds, 3)
        if loaded and dates is None:
            shown |= {"dates": len(touched), **metadata.of_loaded(loaded, sizes)}
        shown |= {
            "ignored_names": harmless(", ".join(ignored[:20])) or "none",
            "quarantine_reasons": dg.MetadataValue.md(_reasons(reasons_of(opened.paths, noted, MOST_REASONS))),
            "preview": dg.MetadataValue.md(lake_preview(opened.paths, log)),
            "lake": dg.MetadataValue.path(str(opened.paths.lake / log)),
        }
        yield dg.MaterializeResult(metadata=shown)
        rejected = sum(file.rejected for file in noted)
        refused = [file.source_file for file in noted if file.refusal]
        yield dg.AssetCheckResult(
            check_name=check.name,
            passed=not rejected and not refused,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "rows_quarantined": rejected,
                "files_refused": harmless(", ".join(refused[:20])) or "none",
            },
        )

    return load


@dg.definitions
def logs() -> dg.Definitions:
    return dg.Definitions(assets=[_asset_of(log) for log in Log])
