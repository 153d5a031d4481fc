"""The raw logs: one asset a log, partitioned by log date; its rows are in the lake and in quarantine.

In the refresh job an asset looks for files that are new or changed, on whatever dates, and reports each date that it
touched. Run for a date or a range, it reloads the files of those dates. Both go through `stages.load_changed`. The checks
report and do not block: whether a build may be published is the gate's to say.

Not here: how rows are admitted (`quality.admission`), how files are read and kept (`warehouse/`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from models.logs import CONTRACTS
from models.masking import harmless
from models.vocabulary import Log
from orchestration import stages
from orchestration.defs.common import OWNERS, POOL, tried_again
from orchestration.resources import WarehouseResource
from warehouse.lake import lake_preview
from warehouse.ledger import LoadedFile
from warehouse.quarantine import Reason, reasons_of

FIRST_LOG_DATE = "2020-01-01"
"""Where the partitions begin in the UI; files of earlier dates are loaded all the same."""

MOST_DATES_REPORTED = 100
"""A materialisation event costs about 50 ms: a first load of a long history is reported in sum."""

MOST_REASONS = 10
"""So many reasons of a log are shown, the most frequent first."""

log_dates = dg.DailyPartitionsDefinition(start_date=FIRST_LOG_DATE, end_offset=1)


class LoadConfig(dg.Config):
    """How an asset looks for work in an unpartitioned run."""

    verify: bool = False


def _metadata(loaded: list[LoadedFile]) -> dict[str, Any]:
    records = sum(file.records for file in loaded)
    rejected = sum(file.rejected for file in loaded)
    return {
        "files": len(loaded),
        "rows_in": records,
        "rows_accepted": sum(file.accepted for file in loaded),
        "rows_quarantined": rejected,
        "quarantined_share": rejected / records if records else 0.0,
        "files_refused": sum(file.refusal is not None for file in loaded),
        "unknown_columns": ", ".join(sorted({name for file in loaded for name in file.unknown_columns})) or "none",
        "first_event": min((file.first_event for file in loaded if file.first_event), default="none"),
        "last_event": max((file.last_event for file in loaded if file.last_event), default="none"),
    }


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
        pool=POOL,
        kinds={"parquet", "pandera"},
        description=f"{CONTRACTS[log].__doc__} Accepted rows in the lake, the others in quarantine with their reasons.",
        check_specs=[check],
    )
    @tried_again
    def load(context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource) -> Iterator[Any]:
        opened = warehouse.open()
        dates = _dates_of(context)
        loaded = stages.load_changed(opened, log, dates=dates, verify=config.verify)
        touched = stages.by_date(loaded)
        if dates is None and len(touched) <= MOST_DATES_REPORTED:
            for day, of_day in touched.items():
                context.log_event(
                    dg.AssetMaterialization(context.asset_key, partition=day.isoformat(), metadata=_metadata(of_day))
                )
        noted = opened.ledger.files(log)
        ignored = [name for name in opened.scan_landing().ignored if name.startswith(f"{log}/")]
        shown = {
            "ignored_names": harmless(", ".join(ignored[:20])) or "none",
            "preview": dg.MetadataValue.md(lake_preview(opened.paths, log)),
            "quarantine_reasons": dg.MetadataValue.md(_reasons(reasons_of(opened.paths, noted, MOST_REASONS))),
        }
        yield dg.MaterializeResult(metadata={**_metadata(loaded), "dates": len(touched), **shown})
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
