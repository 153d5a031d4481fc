"""`sendmart refresh`: the nightly job, by hand or from cron."""

import contextlib
import sqlite3
from typing import Annotated

import typer

from models.masking import masking_logger
from orchestration import notifications
from orchestration.cli.common import FAILED, OK, open_warehouse, show_progress, writer_lock
from orchestration.cli.output import console
from orchestration.errors import failure_of
from orchestration.stages import finish_erasures, plan_refresh, prune_exports, publish_quarantine
from warehouse.ledger import Refresh, now
from warehouse.publish.publication import settle


def refresh(
    full_refresh: Annotated[bool, typer.Option(help="Build everything anew, even where nothing has changed.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what a refresh would do.")] = False,
    verify: Annotated[bool, typer.Option(help="Hash every file, instead of trusting size and time stamps.")] = False,
) -> None:
    """Load what is new in the landing zone, build, audit, publish, export, prune.

    Exit code 0: published, or nothing new. 1: held back or failed; what was published before is untouched. 2: a setting
    makes no sense.
    """
    context = open_warehouse()
    show_progress()
    if dry_run:
        work = plan_refresh(context, verify=verify, full_refresh=full_refresh)
        console.landing(context, work)
        console.plan(work)
        return
    started_at = now()
    try:
        with writer_lock(context):
            settle(context.paths, context.ledger)
            # Looked for only now: what another refresh has just done is no work any more.
            finish_erasures(context)
            work = plan_refresh(context, verify=verify, full_refresh=full_refresh)
            console.landing(context, work)
            if work.is_empty:
                publish_quarantine(context)
                prune_exports(context)
                ended = Refresh(started_at, now(), "nothing new", "")
                context.ledger.record_run(ended)
            else:
                # Dagster takes seconds to import: a refresh with nothing to do does without.
                from orchestration.run_refresh import run_refresh

                ended = run_refresh(context, work, verify=verify, full_refresh=full_refresh)
    except Exception as error:
        failure = failure_of(error, context)
        if not failure.is_expected:
            masking_logger("sendmart").exception("the refresh broke off")
        ended = Refresh(started_at, now(), "failed", str(failure))
        with contextlib.suppress(OSError, sqlite3.Error):
            context.ledger.record_run(ended)
    console.end_of_refresh(context, ended)
    notifications.after_refresh(context, ended)
    raise typer.Exit(OK if ended.outcome in ("published", "nothing new") else FAILED)
