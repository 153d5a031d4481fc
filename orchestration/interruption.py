"""Ends this process at once on Ctrl-C (SIGINT) or SIGTERM.

Python runs a signal handler between two of its own instructions, and a query or a dbt model may take minutes without any. So a
signal is written to a pipe, and a thread that reads the pipe ends the process. To the data it is a kill: whatever was begun is
repeated by the next refresh.

Not here: what is recorded and printed (`orchestration.cli.refresh`).
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

LEFT_SEMAPHORES = "ignore::UserWarning:multiprocessing.resource_tracker"
"""Python's own helper process removes the semaphores of a process that ends at once, such as dbt's. It would warn of each."""

PATIENCE_SECONDS = 2
"""How long the last words may take: they wait for the ledger, which another thread may have locked."""


@contextmanager
def ends_on_signal(last_words: Callable[[], None]) -> Iterator[None]:
    """In this block, SIGINT and SIGTERM end the process after `last_words`, with the exit code of a shell: 130 or 143.

    Only the main thread may enter it.
    """
    if LEFT_SEMAPHORES not in sys.warnoptions:
        sys.warnoptions.append(LEFT_SEMAPHORES)  # the helper process takes over these options
    received, sent = os.pipe()
    os.set_blocking(sent, False)
    handlers = {number: signal.signal(number, _ignore) for number in SIGNALS}
    pipe = signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
    watcher = Thread(target=_end_when_told, args=(received, last_words), name="signals", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(pipe)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(sent)  # the watcher reads the end of the pipe
        watcher.join()
        os.close(received)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The watcher acts. Without a handler in Python, nothing is written to the pipe."""


def _end_when_told(received: int, last_words: Callable[[], None]) -> None:
    while number := os.read(received, 1):
        if number[0] not in SIGNALS:
            continue
        speaker = Thread(target=last_words, daemon=True)
        speaker.start()
        speaker.join(PATIENCE_SECONDS)
        os._exit(128 + number[0])
