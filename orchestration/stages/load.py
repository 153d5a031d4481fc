"""The load stage: loads new, changed and damaged log files of one log into the lake.

Not here: the load itself (`warehouse.ingest.load`), the rules for rows (`quality.admission`).
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path

from models.enums import Log
from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.stages.erase import check_ledger, finish_erasures
from orchestration.stages.quarantine import publish_quarantine
from orchestration.stages.sources import reload_lines
from quality.admission import validate
from warehouse.config import file_modes
from warehouse.ingest.load import load
from warehouse.ingest.staging import StagingJob
from warehouse.ingest.workers import default_workers
from warehouse.lake import integrity, recovery
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged
from warehouse.ledger import LoadedFile
from warehouse.privacy import load_erasure_index


@mask_phone_numbers_in_errors
def load_changed(
    context: AppContext,
    log_name: Log,
    *,
    dates: Iterable[date] | None = None,
    only_on: Iterable[date] | None = None,
    verify: bool = False,
) -> list[LoadedFile]:
    """Loads the new and changed files of a log, of all log dates or those in `only_on`; or all files of `dates`.

    Files whose rows in the lake are damaged are loaded again. With `verify`, checksums are compared, not only sizes.

    Raises:
        LandingZoneMissing: the landing zone is not there.
        SourcesMissing: the mappings of its files are not there.
        LakeDamaged: rows are damaged, and their log file is no longer in the landing zone. The other files are loaded.
    """
    paths, ledger = context.paths, context.ledger
    with paths.writer_lock():
        started = time.perf_counter()
        file_modes.restrict_existing(context.settings, paths)
        check_ledger(context)
        lake_tables.ensure_lake(paths)
        in_landing = context.open_landing().files_of(log_name)
        recovery.recover(paths, ledger, log_name, in_landing)
        damaged = integrity.find_damaged(paths, ledger, log_name, verify_checksums=verify)
        selected_dates = only_on if dates is None else dates
        days = None if selected_dates is None else set(selected_dates)
        files = [file for file in in_landing if days is None or file.log_date in days]
        if dates is None:
            files = ledger.pending_files(files, verify=verify)
        by_name = {file.source_file: file for file in in_landing}
        repairable = [file for file in damaged if file.source_file in by_name]
        integrity.delete_damaged(paths, ledger, repairable)
        files = sorted({*files, *(by_name[file.source_file] for file in repairable)})
        for line in reload_lines(files, ledger):
            log.info("%s", line)
        job = StagingJob(paths, validate, load_erasure_index(paths, ledger))
        workers = context.settings.load_workers or default_workers()
        # First: a file whose log date has changed stands among the others, too, with its new date.
        withdrawn = [file for file in files if file.source and not file.source.mapping]
        loaded = load(job, ledger, withdrawn, workers=workers)
        loaded += load(job, ledger, [file for file in files if file not in withdrawn], workers=workers)
        if verify:
            integrity.record_missing_checksums(paths, ledger, log_name)
        publish_quarantine(context, [log_name])
        accepted, rejected = sum(file.accepted for file in loaded), sum(file.rejected for file in loaded)
        refused = sum(file.refusal is not None for file in loaded)
        log.info(
            "%s: %d files, %d rows accepted, %d quarantined, %d files refused in %.1f s",
            log_name, len(loaded), accepted, rejected, refused, time.perf_counter() - started,
        )  # fmt: skip
        for file in loaded:
            if file.refusal:
                log.warning("%s/%s refused: %s", file.log, file.source_file, file.refusal)
            if file.records and file.not_selected == file.records:
                log.info(
                    "%s/%s: no record is selected, of %d (where in its mapping)",
                    file.log, file.source_file, file.records,
                )  # fmt: skip
            if file.unknown_columns:
                unknown = ", ".join(file.unknown_columns)
                log.info("%s/%s: unknown columns ignored: %s", file.log, file.source_file, unknown)
        if conflicting := sum(file.conflicting for file in ledger.files(log_name)):
            log.warning(
                "%s: the key of %d accepted rows stands in other rows, with another contact; see key_conflicts in %s",
                log_name, conflicting, paths.published_quarantine,
            )  # fmt: skip
        finish_erasures(context)
        if lost := [file for file in damaged if file.source_file not in by_name]:
            raise LakeDamaged(lost)
        return loaded


def remove_withdrawn(context: AppContext) -> None:
    """Removes the rows of files that no source maps any more, though no mapping of one's own is left."""
    allowed = replace(context, may_lose_sources=True)
    withdrawn = [file for file in allowed.open_landing().files if file.source and not file.source.mapping]
    for log_name in sorted({file.log for file in withdrawn}):
        load_changed(allowed, log_name, only_on=[file.log_date for file in withdrawn if file.log == log_name])


def file_sizes(context: AppContext, log_name: Log, loaded: Iterable[LoadedFile]) -> dict[str, tuple[int, int]]:
    """By log file, its size in the landing zone and in the lake, in bytes."""
    names = {file.source_file: Path("lake") / lake_tables.path_of(Path(), file) for file in loaded}
    return context.ledger.sizes(log_name, names)


def group_by_date(loaded: Iterable[LoadedFile]) -> dict[date, list[LoadedFile]]:
    """Loaded files by log date, in order."""
    ordered = sorted(loaded, key=lambda file: file.log_date)
    return {day: list(files) for day, files in groupby(ordered, key=lambda file: file.log_date)}
