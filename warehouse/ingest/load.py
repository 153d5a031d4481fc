"""Loading: takes log files from the landing zone into lake and quarantine.

A file's rows are put in place when its last record was judged; a file that cannot be read is refused whole, and what it
gave before goes too. The same function serves the nightly refresh and a date loaded by hand. Whoever loads is the one
writer of lake, quarantine and ledger, however many processes read and judge for it.

Not here: which files are to be taken (`warehouse.landing.scan`, `warehouse.ledger`), how they are read and judged
(`warehouse.ingest.staging`), in which processes (`warehouse.ingest.workers`).
"""

import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from warehouse.config import DataPaths
from warehouse.ingest.staging import ROWS_PER_BATCH, StagedBatch, StagedFile, StagingJob, Validator
from warehouse.ingest.workers import BYTES_PER_WORKER, staged
from warehouse.lake import change_feed
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile
from warehouse.ledger import Ledger, LoadedFile, now
from warehouse.privacy import ErasureIndex
from warehouse.storage import AnyPath, Checksum

COMMIT_THREADS = 16


def load(
    paths: DataPaths,
    ledger: Ledger,
    files: Iterable[LandingFile],
    validate: Validator,
    batch_rows: int = ROWS_PER_BATCH,
    erased: ErasureIndex | None = None,
    loaders: int = 1,
    bytes_per_worker: int = BYTES_PER_WORKER,
) -> list[LoadedFile]:
    """Takes files of one log and notes them in the ledger; gives what was taken of each. Of who was `erased`, tokens.

    A file that changes or vanishes while it is read is left for the next time, with what it gave before in place.

    Args:
        loaders: how many processes may read and judge at once.

    Raises:
        ReconciliationError: accepted and rejected rows of a file do not add up to its records; nothing of it is taken.
        WorkerDied: one of the processes did; what was not taken yet is left for the next time.
    """
    how = StagingJob(paths, validate, secrets.token_hex(4), batch_rows, erased)
    loaded: list[LoadedFile] = []
    with closing(staged(how, list(files), loaders, bytes_per_worker)) as finished:
        for drafts in finished:
            loaded += _take(paths, ledger, drafts)
    return loaded


def _take(paths: DataPaths, ledger: Ledger, drafts: StagedBatch) -> list[LoadedFile]:
    """Puts what files gave in place of what they gave before."""
    try:
        if drafts.found_numbers:
            ledger.record_erased_numbers(drafts.found_numbers)
        unchanged = [draft for draft in drafts.files if not _has_changed(draft)]
        return _commit(paths, ledger, unchanged) if unchanged else []
    finally:
        for draft in drafts.files:
            draft.discard()  # of what is in place, nothing is left aside


def _commit(paths: DataPaths, ledger: Ledger, drafts: list[StagedFile]) -> list[LoadedFile]:
    change_feed.record(paths, ledger, [draft.file for draft in drafts])
    # Side by side: one after the other, the files of a batch would each wait for the disk.
    written = [one for draft in drafts for one in (draft.accepted, draft.rejected)]
    contents: dict[AnyPath, Checksum] = {}
    with ThreadPoolExecutor(COMMIT_THREADS) as threads:
        for checksum in threads.map(lake_tables.StagedParquet.commit, written):
            contents |= checksum
    loaded = [_loaded(draft) for draft in drafts]
    ledger.record_files(
        zip(loaded, (draft.stat for draft in drafts), strict=True),
        {paths.key_of(path): checksum for path, checksum in contents.items()},
    )
    return loaded


def _has_changed(draft: StagedFile) -> bool:
    """Whether a file is no longer what it was when its hash was taken."""
    try:
        return draft.file.stat() != draft.stat
    except FileNotFoundError:
        return True


def _loaded(draft: StagedFile) -> LoadedFile:
    return LoadedFile(
        log=draft.file.log,
        source_file=draft.file.source_file,
        log_date=draft.file.log_date,
        sha256=draft.sha256,
        refusal=draft.refusal,
        records=draft.records,
        accepted=draft.accepted.rows,
        rejected=draft.rejected.rows,
        first_event=draft.first_event,
        last_event=draft.last_event,
        unknown_columns=draft.unknown_columns,
        loaded_at=now(),
    )
