"""The load stage: new, changed and damaged log files of one log go into the lake."""

import time
from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import Path

from models.enums import Log
from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.stages.erase import finish_erasures
from orchestration.stages.quarantine import publish_quarantine
from quality.admission import validate
from warehouse.config import file_modes
from warehouse.ingest.load import load
from warehouse.ingest.staging import StagingJob
from warehouse.lake import integrity, recovery
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import DamagedFile, LakeDamaged
from warehouse.landing.scan import LandingFile
from warehouse.ledger import LoadedFile
from warehouse.privacy.tombstones import erasure_index


@mask_phone_numbers_in_errors
def load_changed(
    context: AppContext,
    log_name: Log,
    *,
    dates: Iterable[date] | None = None,
    only_on: Iterable[date] | None = None,
    verify: bool = False,
) -> list[LoadedFile]:
    """Takes what is new or changed of one log: on whatever dates, or `only_on` some; or reloads `dates` in any case.

    What is damaged in the lake is taken again, too; with `verify`, checksums are looked at, and not only sizes.

    Raises:
        LakeDamaged: and what was damaged is not in the landing zone any more. Everything else was taken.
    """
    with context.paths.writer_lock():
        started = time.perf_counter()
        file_modes.restrict_existing(context.settings, context.paths)
        lake_tables.ensure_lake(context.paths)
        in_landing = context.scan_landing().files_of(log_name)
        recovery.recover(context.paths, context.ledger, log_name, in_landing)
        damaged = integrity.find_damaged(context.paths, context.ledger, log_name, verify_checksums=verify)
        wanted = only_on if dates is None else dates
        days = None if wanted is None else set(wanted)
        files = [file for file in in_landing if days is None or file.log_date in days]
        if dates is None:
            files = context.ledger.pending_files(files, verify=verify)
        files, lost = _with_damaged(context, files, damaged, in_landing)
        erased = erasure_index(context.settings, context.paths, context.ledger)
        job = StagingJob(context.paths, validate, erased)
        loaded = load(job, context.ledger, files, workers=context.settings.load_workers)
        if verify:
            integrity.record_missing_checksums(context.paths, context.ledger, log_name)
        publish_quarantine(context)
        accepted, rejected = sum(file.accepted for file in loaded), sum(file.rejected for file in loaded)
        refused = sum(file.refusal is not None for file in loaded)
        log.info(
            "%s: %d files, %d rows accepted, %d quarantined, %d files refused in %.1f s",
            log_name, len(loaded), accepted, rejected, refused, time.perf_counter() - started,
        )  # fmt: skip
        for file in loaded:
            if file.refusal:
                log.warning("%s/%s refused: %s", file.log, file.source_file, file.refusal)
            if file.unknown_columns:
                unknown = ", ".join(file.unknown_columns)
                log.info("%s/%s: unknown columns ignored: %s", file.log, file.source_file, unknown)
        finish_erasures(context)
        if lost:
            raise LakeDamaged(lost)
        return loaded


def _with_damaged(
    context: AppContext, files: list[LandingFile], damaged: list[DamagedFile], in_landing: list[LandingFile]
) -> tuple[list[LandingFile], list[DamagedFile]]:
    """The files to be taken, with those whose rows in the lake are damaged; and what is damaged and in no log file."""
    there = {file.source_file: file for file in in_landing}
    again = [file for file in damaged if file.source_file in there]
    integrity.delete_damaged(context.paths, context.ledger, again)
    to_be_taken = sorted({*files, *(there[file.source_file] for file in again)})
    return to_be_taken, [file for file in damaged if file.source_file not in there]


def bytes_of(context: AppContext, log_name: Log, loaded: Iterable[LoadedFile]) -> dict[str, tuple[int, int]]:
    """By log file: its bytes as it was dropped, and those that the lake holds of it."""
    names = {file.source_file: Path("lake") / lake_tables.path_of(Path(), file) for file in loaded}
    return context.ledger.sizes(log_name, names)


def by_date(loaded: Iterable[LoadedFile]) -> dict[date, list[LoadedFile]]:
    ordered = sorted(loaded, key=lambda file: file.log_date)
    return {day: list(files) for day, files in groupby(ordered, key=lambda file: file.log_date)}
