"""Load workers: threads that stage log files, which are independent of each other, in parallel for one load.

Reading, checking and compressing rows happens outside Python's interpreter lock, so that each worker keeps one core busy.

Not here: staging (`warehouse.ingest.staging`), committing staged files (`warehouse.ingest.load`).
"""

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from threading import Event

from models.masking import mask_phone_numbers_in_errors
from warehouse.ingest.staging import StagedBatch, StagingJob
from warehouse.landing import LandingFile, is_compressed

BYTES_PER_TASK = 4 << 20
"""The amount of compressed log files that one worker takes at a time: about as many rows as are validated together."""

COMPRESSION_RATIO = 5
"""Uncompressed rows take this many times the bytes, and the same time."""

BYTES_PER_FILE = 40_000
"""The fixed cost of a file (4 ms of CPU), as an amount of content."""

MEMORY_PER_WORKER = 1 << 30

INTERRUPT_POLL_SECONDS = 0.5


def default_workers() -> int:
    """One for each core, as far as each has 1 GB of free memory; at least one."""
    return max(1, min(len(os.sched_getaffinity(0)), _free_memory() // MEMORY_PER_WORKER))


def _free_memory() -> int:
    """Bytes that this process may still take: of the machine, and of the control group of its container."""
    free = [int(line.split()[1]) << 10 for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:")]
    limit, used = ("".join(_lines(f"/sys/fs/cgroup/memory.{name}")) for name in ("max", "current"))
    if limit.isdecimal() and used.isdecimal():
        free.append(max(int(limit) - int(used), 0))
    return min(free, default=0)


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text().splitlines()
    except OSError:  # another system, or no control group
        return []


def stage_files(
    job: StagingJob, files: list[LandingFile], workers: int, bytes_per_task: int
) -> Generator[StagedBatch, None, None]:
    """Stages all files with at most this many workers, and yields the batches in a fixed order.

    A caller that stops early must close the generator, which ends the workers and deletes their temporary files.
    """
    if workers > 1:
        tasks = _tasks(files, [_size(file) for file in files], bytes_per_task)
        if len(tasks) > 1:
            yield from _stage_in_threads(job, tasks, min(workers, len(tasks)))
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


def _stage_in_threads(job: StagingJob, tasks: list[list[LandingFile]], workers: int) -> Iterator[StagedBatch]:
    is_cancelled = Event()
    job = replace(job, is_cancelled=is_cancelled)
    with ThreadPoolExecutor(workers, thread_name_prefix="load") as threads:
        # Each task finds numbers of erased contacts for itself, and reports them with its own rows.
        futures = deque(
            threads.submit(_stage_task, replace(job, erased=job.erased and job.erased.copy()), task) for task in tasks
        )
        try:
            while futures:
                batch = _result(futures[0])
                futures.popleft()
                yield batch
        finally:
            is_cancelled.set()
            for future in futures:
                future.cancel()
            wait(futures)
            for future in futures:
                if not future.cancelled() and future.exception() is None:
                    future.result().discard()


def _result(future: Future[StagedBatch]) -> StagedBatch:
    # Polled: with polars loaded, Ctrl-C does not interrupt a system call, and is handled only between two calls.
    while not future.done():
        wait([future], INTERRUPT_POLL_SECONDS)
    return future.result()


@mask_phone_numbers_in_errors
def _stage_task(job: StagingJob, files: list[LandingFile]) -> StagedBatch:
    staged = StagedBatch([], [])
    try:
        for batch in job.stage(files):
            staged.files.extend(batch.files)
            staged.erased_numbers.extend(batch.erased_numbers)
    except BaseException:
        staged.discard()
        raise
    return staged
