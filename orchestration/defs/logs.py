"""The logs: an asset for each, partitioned by log date. In the refresh job it loads new and changed files and reports their
dates; materialized for a date or a range, it reloads their files. A date without a file stays missing in the UI.

Not here: how rows are validated (`quality.admission`), how files are read and stored (`warehouse/`).
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
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
from orchestration.defs.sources import source_materializations, sources_of
from orchestration.resources import WarehouseResource
from orchestration.stages import AppContext
from warehouse.config.settings import SettingsError, load_settings
from warehouse.ingest.sources import load_sources
from warehouse.lake.tables import lake_preview
from warehouse.landing import completeness
from warehouse.ledger import LoadedFile
from warehouse.quarantine import Reason, most_frequent_reasons

MAX_DATES_REPORTED = 100
"""An event takes 30 to 50 ms on SQLite: of more dates, a refresh reports sums, and `backfill_materializations` the dates."""

MAX_REASONS_SHOWN, MAX_NAMES_SHOWN = 10, 20


class LoadConfig(dg.Config):
    """Which files an unpartitioned run looks at. `dates`: only files of these log dates; null: files of all dates.
    `verify`: compares the content of every file with its recorded hash.
    """

    dates: list[str] | None = None
    verify: bool = False


def asset_key(log: Log) -> dg.AssetKey:
    return dg.AssetKey(["logs", log.value])


def materialization(
    log: Log,
    day: date,
    files: Iterable[LoadedFile],
    recorded: Iterable[LoadedFile],
    sizes: Mapping[str, tuple[int, int]],
    facts_of_log: Mapping[str, Any] | None = None,
) -> dg.AssetMaterialization:
    """The event that reports a loaded date. `recorded`: all files of the log; `sizes`: bytes of a file and of its lake file."""
    rows = {metadata.PARTITION_ROW_COUNT: metadata.lake_rows(recorded, day)}
    facts = {**rows, **metadata.load_facts(list(files), sizes), **(facts_of_log or {})}
    return dg.AssetMaterialization(asset_key(log), partition=day.isoformat(), metadata=facts)


def _reasons_table(reasons: list[Reason]) -> str:
    """Why rows are in quarantine, as a Markdown table of counts and positions. The rows hold personal data: none is shown."""
    lines = ["| reason | rows | first in |", "| --- | --- | --- |"]
    for reason in reasons:
        text = reason.reason.replace("|", r"\|")
        lines.append(f"| {text} | {reason.rows} | {reason.source_file}, row {reason.row_number} |")
    return "\n".join(lines) if reasons else "none"


def _names(names: list[str]) -> str:
    return sanitize(", ".join(names[:MAX_NAMES_SHOWN])) or "none"


def _log_facts(opened: AppContext, log: Log, recorded: list[LoadedFile]) -> dict[str, Any]:
    ignored = [name for name in opened.scan_landing().ignored if name.startswith(f"{log}/")]
    reasons = most_frequent_reasons(opened.paths.quarantine, recorded, MAX_REASONS_SHOWN)
    return {
        metadata.ROW_COUNT: metadata.lake_rows(recorded),
        "ignored_names": _names(ignored),
        "quarantine_reasons": dg.MetadataValue.md(_reasons_table(reasons)),
        "preview": dg.MetadataValue.md(lake_preview(opened.paths, log)),
        "lake": dg.MetadataValue.path(str(opened.paths.lake / log)),
    }


def _date(text: str) -> date:
    """The date of a run config."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"run config: dates: {text!r} is not a date, such as 2026-01-31") from error


def _dates_of_range(keys: dg.PartitionKeyRange, log_dates: dg.PartitionsDefinition[str]) -> list[date]:
    """The dates that a run was started for, which the tags of the run name."""
    first, last = log_dates.get_first_partition_key(), log_dates.get_last_partition_key()
    if first is None or last is None or not first <= keys.start <= keys.end <= last:
        raise SettingsError(
            f"log dates {keys.start} to {keys.end}: must be a range between {first} (SENDMART_FIRST_LOG_DATE) and {last}"
        )
    return [date.fromisoformat(key) for key in log_dates.get_partition_keys_in_range(keys)]


def _log_asset(
    log: Log, log_dates: dg.PartitionsDefinition[str], code_version: str, deps: list[dg.AssetKey]
) -> dg.AssetsDefinition:
    check = dg.AssetCheckSpec(
        "admitted",
        asset=asset_key(log),
        description="No file of the log is refused, none of its rows is in quarantine, and no accepted row has the key of a"
        " row with another contact. A failure is a warning.",
    )

    @dg.asset(
        name=log.value,
        key_prefix="logs",
        partitions_def=log_dates,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="logs",
        deps=deps,
        owners=OWNERS,
        pool=POOL,
        kinds={"parquet", "pandera"},
        tags=metadata.tags("logs", (column.name for column in COLUMNS[log])),
        code_version=code_version,
        metadata={metadata.COLUMN_SCHEMA: metadata.log_schema(log)},
        output_required=False,
        description=f"{CONTRACTS[log].__doc__} Accepted rows go to the lake, rejected rows to quarantine with their"
        " reasons.\n\n"
        "Materialize reloads all files of the selected dates, also unchanged ones. Select only the log: after the load, the"
        " sensor landing_zone starts a refresh, which builds, audits and publishes. A date that is missing has no file.",
        check_specs=[check],
    )
    @retry_transient
    def load(context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource) -> Iterator[Any]:
        opened = warehouse.open()
        is_of_dates = context.has_partition_key or context.has_partition_key_range
        dates = _dates_of_range(context.partition_key_range, log_dates) if is_of_dates else None
        only_on = None if config.dates is None else [_date(day) for day in config.dates]
        started = time.perf_counter()
        loaded = stages.load_changed(opened, log, dates=dates, only_on=only_on, verify=config.verify)
        seconds = time.perf_counter() - started
        recorded = opened.ledger.files(log)
        files_by_date = stages.group_by_date(loaded)
        sizes = stages.file_sizes(opened, log, loaded)
        facts = _log_facts(opened, log, recorded)
        if any(file.source for file in loaded):
            for event in source_materializations(loaded, opened.ledger.files()):
                context.log_event(event)
        if dates is not None or len(files_by_date) <= MAX_DATES_REPORTED:
            for day, files in files_by_date.items():
                context.log_event(materialization(log, day, files, recorded, sizes, facts if dates else None))
        if dates is None:
            of_run: dict[str, Any] = {"dates": len(files_by_date), "seconds": round(seconds, 3)} if loaded else {}
            yield dg.MaterializeResult(metadata={**of_run, **metadata.load_facts(loaded, sizes), **facts})
        elif missing := [day for day in dates if day not in files_by_date]:
            context.log.warning("no file of %s in the landing zone for %s", log, completeness.format_ranges(missing))
        rejected = sum(file.rejected for file in recorded)
        refused = [file.source_file for file in recorded if file.refusal]
        conflicting = sum(file.conflicting for file in recorded)
        yield dg.AssetCheckResult(
            check_name=check.name,
            passed=not rejected and not refused and not conflicting,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"rows_quarantined": rejected, "files_refused": _names(refused), "rows_conflicting": conflicting},
        )

    return load


class LogDates(dg.DailyPartitionsDefinition):
    """Dagster's daily partitions in UTC. Dagster lists all their keys for each asset that depends on a log, and asks a cron
    schedule for each: 12 ms for six years, against half a millisecond here.
    """

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        with dg.partition_loading_context(current_time, dynamic_partitions_store):
            first, last = self.get_first_partition_key(), self.get_last_partition_key()
        if first is None or last is None:
            return []
        days = range(date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal() + 1)
        return [date.fromordinal(day).isoformat() for day in days]


@dg.definitions
def logs() -> dg.Definitions:
    # One day ahead: a file may arrive before its day has ended in UTC.
    log_dates = LogDates(start_date=load_settings().first_log_date.isoformat(), end_offset=1)
    modules = (models.logs, models.text_types, models.enums, quality.admission, warehouse.ingest.readers)
    code_version = metadata.code_version(*modules)
    sources = load_sources(load_settings().sources).values()
    return dg.Definitions(assets=[_log_asset(log, log_dates, code_version, sources_of(log, sources)) for log in Log])
