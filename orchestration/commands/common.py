"""What every command needs: the warehouse of the settings in force, the writer's lock, progress, exit codes."""

import logging
import os
import sys

import typer
from filelock import Timeout

from models.masking import masking_logger
from orchestration import telling
from orchestration.stages import Warehouse
from warehouse.settings import SettingsError, load_settings

OK, FAILED, SENSELESS = 0, 1, 2


def open_warehouse() -> Warehouse:
    """The warehouse of the settings in force; ends the program where they make no sense."""
    try:
        return Warehouse.of(load_settings())
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(SENSELESS) from error


def show_progress() -> None:
    # A copy of standard output: Dagster turns the original aside while a step runs.
    handler = logging.StreamHandler(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = masking_logger("sendmart")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def writer_of(warehouse: Warehouse):
    """The writer's lock; says so where it has to wait for another refresh."""
    try:
        with warehouse.paths.writer(timeout=0):
            pass
    except Timeout:
        telling.console.print("Another refresh is at work on this data folder: waiting for it to end.")
    return warehouse.paths.writer()
