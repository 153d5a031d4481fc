"""The raw logs: one asset a log, partitioned by log date; its rows are in the lake and in quarantine.

In the refresh job an asset looks for files that are new or changed, on whatever dates or on those of its config, and
reports each date that it touched. Run for a date or a range, it reloads the files of those dates. Both go through
`stages.load_changed`. A date is reported only where there was a file of it: one without stays missing in the UI. The
checks report and do not block: whether a build may be published is the gate's to say.

Not here: how rows are admitted (`quality.admission`), how files are read and kept (`warehouse/`).
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

import models.enums
import models.logs
import models.text_types
import quality.admission
import warehouse.ingest.readers
from models.enums import Log
from models.logs import COLUMNS, CONTRACTS
from models.masking import sanitize
from orchestration import metadata, stages
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from warehouse.config.settings import load_settings
from warehouse.lake.tables import lake_preview
from warehouse.landing import completeness
from warehouse.ledger import LoadedFile
from warehouse.quarantine.summary import Reason, reasons_of

MOST_DATES_REPORTED = 100
"""An event costs 30 to 50 ms on SQLite: of a long history, the refresh reports the sum, and the sensor
`backfill_materializations` reports the dates, a few at a time.
"""

MOST_REASONS = 10
"""So many reasons of a log are shown, the most frequent first."""

# Today's files may come before the day is over in UTC.
log_dates = dg.DailyPartitionsDefinition(start_date=load_settings().first_log_date.isoformat(), end_offset=1)


_CODE = metadata.code_version(models.logs, models.text_types, models.enums, quality.admission, warehouse.ingest.readers)


class LoadConfig(dg.Config):
    """How an asset looks for work in an unpartitioned run: `dates` are the only ones to look at, all where it is null;
    `verify` hashes every file.
    """

    dates: list[str] | None = None
    verify: bool = False


def loaded_on(
    log: Log,
    day: date,
    loaded: Iterable[LoadedFile],
    noted: Iterable[LoadedFile],
    sizes: Mapping[str, tuple[int, int]],
    shown: Mapping[str, Any] | None = None,
) -> dg.AssetMaterialization:
    """Tells Dagster what was loaded of a log on a date, of all that is noted of the log; and what is shown besides."""
    rows = {metadata.PARTITION_ROW_COUNT: metadata.rows_in_lake(noted, day)}
    return dg.AssetMaterialization(
        dg.AssetKey(["logs", log.value]),
        partition=day.isoformat(),
        metadata={**rows, **metadata.of_loaded(list(loaded), sizes), **(shown or {})},
    )


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
        tags=metadata.tags("logs", (column.name for column in COLUMNS[log])),
        code_version=_CODE,
        metadata={metadata.COLUMN_SCHEMA: metadata.log_schema(log)},
        output_required=False,
        description=f"{CONTRACTS[log].__doc__} Accepted rows in the lake, the others in quarantine with their reasons.\n\n"
        "Materialize reloads the files of the dates chosen, whether or not they have changed. Choose the log alone: the"
        " sensor landing_zone starts the run that builds, audits and publishes, once the lake stays as it is. A date"
        " that is missing had no file.",
        check_specs=[check],
    )
    @retry_transient
    def load(context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource) -> Iterator[Any]:
        opened = warehouse.open()
        dates = _dates_of(context)
        only_on = None if config.dates is None else [date.fromisoformat(day) for day in config.dates]
        started = time.perf_counter()
        loaded = stages.load_changed(opened, log, dates=dates, only_on=only_on, verify=config.verify)
        seconds = time.perf_counter() - started
        noted = opened.ledger.files(log)
        touched = stages.by_date(loaded)
        sizes = stages.bytes_of(opened, log, loaded)
        ignored = [name for name in opened.scan_landing().ignored if name.startswith(f"{log}/")]
        shown = {
            metadata.ROW_COUNT: metadata.rows_in_lake(noted),
            "ignored_names": sanitize(", ".join(ignored[:20])) or "none",
            "quarantine_reasons": dg.MetadataValue.md(_reasons(reasons_of(opened.paths, noted, MOST_REASONS))),
            "preview": dg.MetadataValue.md(lake_preview(opened.paths, log)),
            "lake": dg.MetadataValue.path(str(opened.paths.lake / log)),
        }
        if dates is not None or len(touched) <= MOST_DATES_REPORTED:
            for day, of_day in touched.items():
                context.log_event(loaded_on(log, day, of_day, noted, sizes, shown if dates else None))
        if dates is None:
            of_run = {"dates": len(touched), "seconds": round(seconds, 3)} if loaded else {}
            yield dg.MaterializeResult(metadata={**of_run, **metadata.of_loaded(loaded, sizes), **shown})
        elif missing := [day for day in dates if day not in touched]:
            context.log.warning("no file of %s in the landing zone: %s", log, completeness.format_ranges(missing))
        rejected = sum(file.rejected for file in noted)
        refused = [file.source_file for file in noted if file.refusal]
        yield dg.AssetCheckResult(
            check_name=check.name,
            passed=not rejected and not refused,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "rows_quarantined": rejected,
                "files_refused": sanitize(", ".join(refused[:20])) or "none",
            },
        )

    return load


@dg.definitions
def logs() -> dg.Definitions:
    return dg.Definitions(assets=[_asset_of(log) for log in Log])
