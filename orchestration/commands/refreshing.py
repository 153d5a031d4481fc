"""`sendmart refresh`: the nightly job, by hand or from cron."""

import contextlib
import sqlite3
from typing import Annotated

import typer

from models.masking import masking_logger
from orchestration import alerts, telling
from orchestration.commands.common import FAILED, OK, open_warehouse, show_progress, writer_of
from orchestration.failures import failure_of
from orchestration.stages import find_work, finish_erasures, prune_exports, publish_quarantine
from warehouse.ledger import Refresh, now
from warehouse.publication import settle


def refresh(
    full_refresh: Annotated[bool, typer.Option(help="Build everything anew, even where nothing has changed.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what a refresh would do.")] = False,
    verify: Annotated[bool, typer.Option(help="Hash every file, instead of trusting size and time stamps.")] = False,
) -> None:
    """Load what is new in the landing zone, build, audit, publish, export, prune.

    Exit code 0: published, or nothing new. 1: held back or failed; what was published before is untouched. 2: a setting
    makes no sense.
    """
    warehouse = open_warehouse()
    show_progress()
    if dry_run:
        work = find_work(warehouse, verify=verify, full_refresh=full_refresh)
        telling.landing(warehouse, work)
        telling.plan(work)
        return
    started_at = now()
    try:
        with writer_of(warehouse):
            settle(warehouse.paths, warehouse.ledger)
            # Looked for only now: what another refresh has just done is no work any more.
            finish_erasures(warehouse)
            work = find_work(warehouse, verify=verify, full_refresh=full_refresh)
            telling.landing(warehouse, work)
            if work.is_nothing:
                publish_quarantine(warehouse)
                prune_exports(warehouse)
                ended = Refresh(started_at, now(), "nothing new", "")
                warehouse.ledger.note_refresh(ended)
            else:
                # Dagster takes seconds to import: a refresh with nothing to do does without.
                from orchestration.running import run_refresh

                ended = run_refresh(warehouse, work, verify=verify, full_refresh=full_refresh)
    except Exception as error:
        failure = failure_of(error, warehouse)
        if not failure.is_expected:
            masking_logger("sendmart").exception("the refresh broke off")
        ended = Refresh(started_at, now(), "failed", str(failure))
        with contextlib.suppress(OSError, sqlite3.Error):
            warehouse.ledger.note_refresh(ended)
    telling.end_of_refresh(warehouse, ended)
    alerts.after_refresh(warehouse, ended)
    raise typer.Exit(OK if ended.outcome in ("published", "nothing new") else FAILED)
