"""Worker processes: they stage log files, which are independent of each other, in parallel for one load.

A worker writes temporary files only, and ends with the process that loads, or with the load. If there is too little to read
for workers to pay off, the process that loads stages the files itself.

Not here: staging (`warehouse.ingest.staging`), committing staged files (`warehouse.ingest.load`).
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from models.masking import mask_phone_numbers_in_errors
from warehouse.ingest.staging import StagedBatch, StagingJob
from warehouse.landing import LandingFile, is_compressed

BYTES_PER_WORKER = 32 << 20
"""The amount of compressed log files for which one worker is started: they take three seconds of CPU, and a worker takes one
second to start, so that two workers finish before one process would.
"""

COMPRESSION_RATIO = 5
"""Uncompressed rows take this many times the bytes, and the same time."""

TASKS_PER_WORKER = 4
"""The files for one worker are split into this many tasks, so that all workers end at about the same time."""

BYTES_PER_FILE = 40_000
"""The fixed cost of a file (4 ms of CPU), as an amount of content."""

INTERRUPT_POLL_SECONDS = 0.5


class WorkerDied(Exception):
    """A worker process was killed or crashed, without raising an exception."""


def stage_files(
    job: StagingJob, files: list[LandingFile], workers: int, bytes_per_worker: int
) -> Generator[StagedBatch, None, None]:
    """Stages all files with at most this many workers, and yields the batches in a fixed order.

    A caller that stops early must close the generator, which ends the workers and deletes their temporary files.

    Raises:
        WorkerDied: a worker died; the others were ended, and their temporary files deleted.
    """
    if workers > 1:
        sizes = [_size(file) for file in files]
        tasks = _tasks(files, sizes, bytes_per_worker // TASKS_PER_WORKER)
        workers = min(workers, len(tasks), sum(sizes) // bytes_per_worker)
        if workers > 1:
            yield from _stage_in_workers(job, tasks, workers)
            return
    yield from job.stage(files)


def _size(file: LandingFile) -> int:
    """The cost of reading a file, as the size of a compressed file."""
    try:
        size = file.stat().size
    except FileNotFoundError:
        return 0
    return size // (1 if is_compressed(file.source_file) else COMPRESSION_RATIO) + BYTES_PER_FILE


def _tasks(files: list[LandingFile], sizes: list[int], task_size: int) -> list[list[LandingFile]]:
    """The files of each task: a large file by itself, small files grouped in order of log date; the largest task first."""
    tasks: list[tuple[int, list[LandingFile]]] = []
    group: list[LandingFile] = []
    group_size = 0
    for file, size in zip(files, sizes, strict=True):
        if size >= task_size:
            tasks.append((size, [file]))
            continue
        group.append(file)
        group_size += size
        if group_size >= task_size:
            tasks.append((group_size, group))
            group, group_size = [], 0
    if group:
        tasks.append((group_size, group))
    return [task for _, task in sorted(tasks, key=lambda task: -task[0])]


def _stage_in_workers(job: StagingJob, tasks: list[list[LandingFile]], workers: int) -> Iterator[StagedBatch]:
    # polars' threads do not survive a fork, so each worker is a new process.
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_initialize, initargs=(receiver, job))
    unfinished = deque(tasks)
    try:
        # Workers that are started in this block ignore Ctrl-C: the process that loads handles it and ends them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            futures = deque(pool.submit(_stage_task, task) for task in tasks)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        while futures:
            batch = _result(futures.popleft())
            unfinished.popleft()
            yield batch
    except BrokenProcessPool as error:
        log = tasks[0][0].log
        raise WorkerDied(f"a worker process that loaded files of {log} was killed or crashed") from error
    except BaseException:
        sender.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        sender.close()
        receiver.close()
        for file in (file for task in unfinished for file in task):
            job.discard_temp_files(file)


def _result(future: Future[StagedBatch]) -> StagedBatch:
    # Polled: with polars loaded, Ctrl-C does not interrupt a system call, and is handled only between two calls.
    while not future.done():
        wait_for_futures([future], INTERRUPT_POLL_SECONDS)
    return future.result()


# --- in a worker process

_job: StagingJob


def _initialize(receiver: Connection, job: StagingJob) -> None:
    global _job
    threading.Thread(target=_exit_when_closed, args=(receiver,), daemon=True).start()
    _job = job


def _exit_when_closed(receiver: Connection) -> None:
    """Ends this process as soon as the process that loads closes the pipe or ends. Nothing is ever sent through it."""
    wait([receiver])
    os._exit(1)


@mask_phone_numbers_in_errors
def _stage_task(files: list[LandingFile]) -> StagedBatch:
    batches = list(_job.stage(files))
    return StagedBatch(
        [staged for batch in batches for staged in batch.files],
        [number for batch in batches for number in batch.erased_numbers],
    )
