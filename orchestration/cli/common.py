"""What every command needs: the warehouse of the settings in force, the writer's lock, progress, exit codes."""

import logging
import os
import sys
from collections.abc import Iterable

import typer
from filelock import Timeout

from models.masking import masking_logger, sanitize
from orchestration.cli.output import console
from orchestration.stages import AppContext
from warehouse.config.settings import SettingsError, load_settings
from warehouse.ledger import LoadedFile

OK, FAILED, USAGE_ERROR = 0, 1, 2


def open_warehouse() -> AppContext:
    """The warehouse of the settings in force; ends the program where they make no sense."""
    try:
        return AppContext.of(load_settings())
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE_ERROR) from error


def utf_8(argument: str) -> str:
    """An id that was typed; ends the program where its bytes are no text, as no id in a log can be."""
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("is not UTF-8") from error
    return argument


def named(files: Iterable[LoadedFile], name: str) -> list[LoadedFile]:
    """The file of this name, `<log>/<name>`; else those that are shown by it: a name that holds a phone number is printed
    masked, and as it was printed, it is understood.
    """
    by_name = {f"{known.log}/{known.source_file}": known for known in files}
    return [by_name[name]] if name in by_name else [known for full, known in by_name.items() if sanitize(full) == name]


def show_progress() -> None:
    # A copy of standard output: Dagster turns the original aside while a step runs.
    handler = logging.StreamHandler(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = masking_logger("sendmart")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def writer_lock(context: AppContext):
    """The writer's lock; says so where it has to wait for another refresh."""
    try:
        with context.paths.writer_lock(timeout=0):
            pass
    except Timeout:
        console.console.print("Another refresh is at work on this data folder: waiting for it to end.")
    return context.paths.writer_lock()
