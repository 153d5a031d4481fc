"""The load: staged rows of log files replace what lake and quarantine hold of these files.

A file that cannot be read is refused as a whole, and the rows of its previous version are removed. The process that loads is
the only writer of lake, quarantine and ledger, however many workers read and validate for it.

Not here: reading and validating (`warehouse.ingest.staging`), workers (`warehouse.ingest.workers`).
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from warehouse.ingest.staging import StagedBatch, StagedFile, StagingJob
from warehouse.ingest.workers import BYTES_PER_TASK, stage_files
from warehouse.lake import change_feed
from warehouse.landing import LandingFile
from warehouse.ledger import Ledger, LoadedFile
from warehouse.privacy import save_tombstone_copy

COMMIT_THREADS = 16


def load(
    job: StagingJob,
    ledger: Ledger,
    files: Iterable[LandingFile],
    *,
    workers: int = 1,
    bytes_per_task: int = BYTES_PER_TASK,
) -> list[LoadedFile]:
    """Loads files of one log and records them in the ledger.

    A file that changes or disappears while it is read is skipped, and keeps the rows of its previous version.

    Args:
        workers: the maximum number of workers.
        bytes_per_task: the amount of log files that a worker takes at a time.

    Returns:
        One result for each loaded or refused file.

    Raises:
        ReconciliationError: the accepted and rejected rows of a file do not add up to its records; it is not loaded.
    """
    loaded: list[LoadedFile] = []
    with closing(stage_files(job, list(files), workers, bytes_per_task)) as batches:
        for batch in batches:
            loaded += _load_batch(job, ledger, batch)
    return loaded


def _load_batch(job: StagingJob, ledger: Ledger, batch: StagedBatch) -> list[LoadedFile]:
    try:
        if batch.erased_numbers:
            ledger.record_erased_numbers(batch.erased_numbers)
            save_tombstone_copy(job.paths, ledger)
        unchanged = [staged for staged in batch.files if not _has_changed(staged)]
        return _commit(job, ledger, unchanged) if unchanged else []
    finally:
        batch.discard()  # after a commit there is nothing to discard


def _commit(job: StagingJob, ledger: Ledger, files: list[StagedFile]) -> list[LoadedFile]:
    change_feed.record(job.paths, ledger, [staged.file for staged in files])
    parquet_files = [parquet for staged in files for parquet in (staged.accepted, staged.rejected)]
    # In parallel: one by one, each file of a batch would wait for the disk.
    with ThreadPoolExecutor(COMMIT_THREADS) as threads:
        committed = list(threads.map(lambda parquet: parquet.commit(), parquet_files))
    checksums = {job.paths.key_of(path): checksum for written in committed for path, checksum in written.items()}
    ledger.record_files([(staged.loaded, staged.stat) for staged in files], checksums)
    return [staged.loaded for staged in files]


def _has_changed(staged: StagedFile) -> bool:
    """Whether a file is no longer the one that was hashed."""
    try:
        return staged.file.stat() != staged.stat
    except FileNotFoundError:
        return True
