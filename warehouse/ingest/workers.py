"""Loaders: processes that make drafts of log files side by side, for one load.

Log files are independent of each other, so any loader may take any of them. A loader writes aside and nowhere else, and
tells the process that loads what came of it; it lives no longer than that process, or than the load. Where there is too
little to read for it to pay, the process that loads makes the drafts itself.

Not here: how a draft is made (`warehouse.ingest.staging`), how it is put in place (`warehouse.ingest.load`).
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from models.masking import mask_phone_numbers_in_errors
from warehouse.ingest.staging import StagedBatch, StagingJob
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile

BYTES_PER_WORKER = 32 << 20
"""A loader is started for so many bytes of compressed log files: they take three seconds of CPU, and a loader one to start,
so that two are done before one process is.
"""

COMPRESSED = (".gz", ".parquet")
BYTES_IN_A_COMPRESSED_ONE = 5
"""Rows that are not compressed take so many times the bytes, and as long."""

TASKS_A_LOADER = 4
"""Into so many parts is split what a loader is started for: the last ones at work end at about the same time."""

BYTES_OF_A_FILE = 40_000
"""What a file costs whatever is in it (4 ms of CPU), as so many bytes of content would."""

INTERRUPTS_HEARD_WITHIN_SECONDS = 0.5


class WorkerDied(Exception):
    """A loader was killed, or crashed: not by anything that it raised."""


def staged(how: StagingJob, files: list[LandingFile], loaders: int, bytes_per_worker: int) -> Iterator[StagedBatch]:
    """StagedBatch of all files, in an order that is the same each time; made by so many loaders at most.

    To be closed by whoever does not go on to the end: loaders end at once, and what they wrote aside is forgotten.

    Raises:
        WorkerDied: one did; so have the others then, and nothing of theirs is left.
    """
    if loaders > 1:
        sizes = [_size(file) for file in files]
        tasks = _tasks(files, sizes, bytes_per_worker // TASKS_A_LOADER)
        loaders = min(loaders, len(tasks), sum(sizes) // bytes_per_worker)
        if loaders > 1:
            yield from _by_loaders(how, tasks, loaders)
            return
    yield from how.stage(files)


def _size(file: LandingFile) -> int:
    """What it takes to read a file, as bytes of a compressed one."""
    try:
        size = file.stat().size
    except FileNotFoundError:
        return 0
    if not file.source_file.endswith(COMPRESSED):
        size //= BYTES_IN_A_COMPRESSED_ONE
    return size + BYTES_OF_A_FILE


def _tasks(files: list[LandingFile], sizes: list[int], enough: int) -> list[list[LandingFile]]:
    """Files as loaders take them: a large one by itself, small ones with others of their log date or of those next to it;
    what takes longest first.
    """
    tasks: list[tuple[int, list[LandingFile]]] = []
    together: list[LandingFile] = []
    of_together = 0
    for file, size in zip(files, sizes, strict=True):
        if size >= enough:
            tasks.append((size, [file]))
            continue
        together.append(file)
        of_together += size
        if of_together >= enough:
            tasks.append((of_together, together))
            together, of_together = [], 0
    if together:
        tasks.append((of_together, together))
    return [task for _, task in sorted(tasks, key=lambda task: -task[0])]


def _by_loaders(how: StagingJob, tasks: list[list[LandingFile]], loaders: int) -> Iterator[StagedBatch]:
    # Threads of polars do not survive a fork: each loader starts anew.
    context = get_context("spawn")
    watched, alive = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(loaders, context, initializer=_begin, initargs=(watched, how))
    unfinished = deque(tasks)
    try:
        with _interrupts_held_back():
            futures = deque(pool.submit(_draft, task) for task in tasks)
        while futures:
            drafts = _result(futures.popleft())
            unfinished.popleft()
            yield drafts
    except BrokenProcessPool as error:
        log = tasks[0][0].log
        raise WorkerDied(f"a process that read files of {log} was killed, or crashed") from error
    except BaseException:
        alive.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        alive.close()
        watched.close()
        for file in (file for task in unfinished for file in task):
            lake_tables.discard_temp_files(how.paths, file, how.load)


def _result(future: Future[StagedBatch]) -> StagedBatch:
    # Not waited for without end: where polars is, Ctrl-C interrupts no system call, and is heard only between two of them.
    while not future.done():
        wait_for_futures([future], INTERRUPTS_HEARD_WITHIN_SECONDS)
    return future.result()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Loaders that are started meanwhile never hear Ctrl-C: the process that loads does, and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in a loader

_how: StagingJob


def _begin(alive: Connection, how: StagingJob) -> None:
    global _how
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    _how = how


def _end_with(alive: Connection) -> None:
    """Ends this process when the one that loads does, however that was, or has no use for it any more: then the other end
    is closed, through which nothing is ever sent.
    """
    wait([alive])
    os._exit(1)


@mask_phone_numbers_in_errors
def _draft(files: list[LandingFile]) -> StagedBatch:
    made = list(_how.stage(files))
    return StagedBatch(
        [draft for drafts in made for draft in drafts.files],
        [number for drafts in made for number in drafts.found_numbers],
    )
