"""`sendmart refresh`: the nightly job, by hand or from cron."""

import contextlib
import sqlite3
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from models.masking import masking_logger
from orchestration import notifications
from orchestration.cli.common import FAILED, OK, fail, open_context, show_progress, writer_lock
from orchestration.cli.output import refresh as refresh_output
from orchestration.errors import failure_of
from orchestration.interruption import ends_on_signal
from orchestration.ping import ping_after
from orchestration.report_mail import mail_reports
from orchestration.stages import (
    AppContext,
    RefreshPlan,
    check_ledger,
    evaluate_gate,
    finish_erasures,
    plan_refresh,
    prune_exports,
    publish_quarantine,
    remove_withdrawn,
)
from orchestration.stages.sources import SourcesMissing
from warehouse.ingest.sources import MappingInvalid
from warehouse.landing import LandingZoneMissing
from warehouse.ledger import Refresh, now
from warehouse.privacy import KeyMissing, load_erasure_index
from warehouse.publish.publication import recover_publication

INTERRUPTED = "interrupted; what was published is untouched. Next: sendmart refresh, which repeats unfinished steps"


def refresh(
    full_refresh: Annotated[bool, typer.Option(help="Build every model in full, even if nothing has changed.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Show what a refresh would do, and change nothing.")] = False,
    verify: Annotated[
        bool, typer.Option(help="Compare checksums of all files, instead of their sizes and modification times.")
    ] = False,
    new_ledger: Annotated[
        bool,
        typer.Option(
            help="Start a new ledger beside the data of a lost one. docs/runbook/ledger-unusable.md says what is lost."
        ),
    ] = False,
    without_sources: Annotated[
        bool,
        typer.Option(
            help="Remove the rows of files that mappings of SENDMART_SOURCES gave, though no mapping is there."
            " docs/runbook/sources-missing.md"
        ),
    ] = False,
) -> None:
    """Load new and changed logs, build, audit, publish, export. Prune old files.

    Exit code 0: published, or up to date. 1: held back or failed; the published build is untouched. 2: a setting is
    invalid. 130: interrupted by Ctrl-C. 143: ended by SIGTERM.
    """
    context = replace(open_context(), may_lose_sources=without_sources)
    show_progress()
    if dry_run:
        try:
            load_erasure_index(context.paths, context.ledger)
            plan = plan_refresh(context, verify=verify, full_refresh=full_refresh)
        except (KeyMissing, LandingZoneMissing, MappingInvalid, SourcesMissing) as error:
            fail(str(failure_of(error, context)))
        refresh_output.print_landing(context, plan)
        refresh_output.print_ignored(context)
        refresh_output.print_plan(plan)
        if plan.must_publish and not plan.must_build:
            refresh_output.print_hold(evaluate_gate(context))
        return
    started_at = now()
    try:
        # A refresh that waits for another one must not record itself as the last one of the data folder.
        recorded = ends_on_signal(partial(_record_interrupted, context, started_at))
        with ends_on_signal(_say_interrupted), writer_lock(context), recorded:
            if new_ledger:
                context.ledger.create()
            check_ledger(context)
            recover_publication(context.paths, context.ledger)
            finish_erasures(context)
            if without_sources:
                remove_withdrawn(context)
            # Under the lock: another refresh may have just done the work.
            plan = plan_refresh(context, verify=verify, full_refresh=full_refresh)
            refresh_output.print_landing(context, plan)
            outcome = _carry_out(context, plan, started_at, verify=verify, full_refresh=full_refresh)
    except Exception as error:
        failure = failure_of(error, context)
        if not failure.is_expected:
            masking_logger("sendmart").exception("The refresh failed with an unexpected error")
        outcome = Refresh(started_at, now(), "failed", str(failure))
        with contextlib.suppress(OSError, sqlite3.Error):
            context.ledger.record_run(outcome)
    refresh_output.print_outcome(context, outcome)
    notifications.notify_refresh(context, outcome)
    ping_after(context, outcome)
    mail_reports(context)
    raise typer.Exit(OK if outcome.is_good else FAILED)


def _carry_out(
    context: AppContext, plan: RefreshPlan, started_at: datetime, *, verify: bool, full_refresh: bool
) -> Refresh:
    if plan.is_empty:
        publish_quarantine(context)
        prune_exports(context)
        outcome = Refresh(started_at, now(), "nothing new", "")
        context.ledger.record_run(outcome)
        return outcome
    # Dagster takes seconds to import: a refresh with nothing to do does not need it.
    from orchestration.run_refresh import run_refresh

    return run_refresh(context, plan, verify=verify, full_refresh=full_refresh)


def _say_interrupted() -> None:
    # The logger's output, because Dagster redirects standard output while a step runs.
    masking_logger("sendmart").info(INTERRUPTED)


def _record_interrupted(context: AppContext, started_at: datetime) -> None:
    _say_interrupted()
    with contextlib.suppress(OSError, sqlite3.Error):
        context.ledger.record_run(Refresh(started_at, now(), "interrupted", INTERRUPTED))
