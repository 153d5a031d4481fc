"""What several commands need: the context, the writer's lock, progress, file names and ids as typed, exit codes.

Not here: how results are printed (`orchestration.cli.output`).
"""

import logging
import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import NoReturn

import typer
from filelock import Timeout

from models.masking import masking_logger, sanitize
from orchestration.cli.output.console import console
from orchestration.stages import AppContext
from warehouse.config.settings import SettingsError, load_settings
from warehouse.ingest.sources import load_sources
from warehouse.ledger import LoadedFile

OK, FAILED, USAGE_ERROR = 0, 1, 2  # exit codes


def open_context() -> AppContext:
    """The data folder of the current settings. Invalid settings and mappings are printed, and the program ends."""
    try:
        settings = load_settings()
        load_sources(settings.sources, has_files=lambda name: False)  # the shipped ones are valid
        return AppContext.of(settings)
    except SettingsError as error:
        fail(str(error), USAGE_ERROR)


def fail(message: str, exit_code: int = FAILED) -> NoReturn:
    """Prints a message to standard error and ends the program."""
    typer.echo(sanitize(message), err=True)
    raise typer.Exit(exit_code)


def utf_8(argument: str | None) -> str | None:
    """Checks an id as typed. No id in a log has bytes that are not UTF-8."""
    try:
        (argument or "").encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("is not UTF-8") from error
    return argument


def find_files(files: Iterable[LoadedFile], name: str) -> list[LoadedFile]:
    """The file `<log>/<name>`; if there is none, the files that are printed under this name, with phone numbers masked."""
    by_name = {f"{file.log}/{file.source_file}": file for file in files}
    return [by_name[name]] if name in by_name else [file for full, file in by_name.items() if sanitize(full) == name]


def show_progress() -> None:
    """Prints what the stages log to standard output."""
    # A copy of standard output, because Dagster redirects the original while a step runs.
    handler = logging.StreamHandler(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = masking_logger("sendmart")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def writer_lock(context: AppContext) -> AbstractContextManager[None]:
    """The writer's lock. Prints a line if another process holds it."""
    try:
        with context.paths.writer_lock(timeout=0):
            pass
    except Timeout:
        console.print("Another refresh is running on this data folder. Waiting for it to finish.")
    return context.paths.writer_lock()
