"""Runs the Dagster refresh job in this process, and classifies the outcome of a run, wherever it ran.

Not here: the assets of the job (`orchestration.defs`), what is printed (`orchestration.cli.output`).
"""

import contextlib
import logging
import os
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models.error_codes import Code
from models.masking import masking_logger
from orchestration import stages
from orchestration.errors import Failure, failure_of_step
from orchestration.stages import AppContext, RefreshPlan
from warehouse.config.settings import PROJECT
from warehouse.ledger import Refresh, now

if TYPE_CHECKING:
    from dagster import DagsterEvent

log = masking_logger("sendmart")

STARTED_BY = "sendmart/started_by"
"""Tag of a run with what started it: `schedule`, `export_schedule`, `landing_zone`, `manual_load`, `refresh`
(pruning after it), `report_mails_due`, `command line`."""

STARTED_BY_COMMAND = {STARTED_BY: "command line"}
"""Tag of the runs of `sendmart refresh`, which records their outcome itself."""

_NOT_FINISHED = (
    f"{Code.REFRESH_NOT_FINISHED}: the refresh is running, was killed, or could not record its end. Unless it is running:"
    f" sendmart refresh, which repeats unfinished steps. See {Code.REFRESH_NOT_FINISHED.page}"
)


_NOT_PUBLISHED = (
    f"{Code.REFRESH_NOT_FINISHED}: no step failed, but the build was not published. Run: sendmart refresh. See"
    f" {Code.REFRESH_NOT_FINISHED.page}"
)


def dagster_home(context: AppContext) -> Path:
    """The folder of Dagster's history: DAGSTER_HOME, or a folder of the data folder with the project's `dagster.yaml`."""
    if "DAGSTER_HOME" in os.environ:
        return Path(os.environ["DAGSTER_HOME"])
    home = context.paths.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    return home


def run_refresh(context: AppContext, plan: RefreshPlan, *, verify: bool = False, full_refresh: bool = False) -> Refresh:
    """Runs the refresh job, or the export job if only exports are missing, and records the outcome."""
    import dagster as dg

    from models.enums import Log
    from orchestration.definitions import defs
    from warehouse.export import REPORTS

    logging.getLogger("dagster").setLevel(logging.ERROR)
    started_at = now()
    # If this process is killed, or cannot record the end, this record stays.
    context.ledger.record_run(Refresh(started_at, started_at, "not finished", _NOT_FINISHED))
    published_before = context.ledger.last_publication()
    definitions = defs()
    job = definitions.resolve_job_def("refresh" if plan.must_publish or any(plan.files.values()) else "csv_exports")
    ops = {f"exports__{report}": {"config": {"skip_if_exported": True}} for report in REPORTS}
    if job.name == "refresh":
        ops |= {f"logs__{log}": {"config": {"verify": verify}} for log in Log}
        ops["build"] = {"config": {"full_refresh": full_refresh}}
    instance = dg.DagsterInstance.from_config(str(dagster_home(context)))
    # Runs of this command that were killed. None of them is alive, because this process holds the writer's lock.
    unfinished = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    abandoned = dg.RunsFilter(tags=STARTED_BY_COMMAND, statuses=unfinished)
    for run in instance.get_runs(abandoned):
        instance.report_run_failed(run, "The process that ran it was killed.")
    failures = []
    # Old exports are pruned whether or not the refresh succeeded.
    for job_to_run, config in ((job, ops), (definitions.resolve_job_def("prune_exports"), {})):
        result = job_to_run.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"ops": config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            # Dagster must not retry it: the operator does.
            tags={**STARTED_BY_COMMAND, "dagster/max_retries": "0"},
        )
        failures += [event for event in result.all_events if event.is_step_failure]
    # From the ledger, not from times: the clock may have been changed meanwhile.
    has_published = context.ledger.last_publication() != published_before
    outcome = refresh_outcome(context, started_at, failures, has_published=has_published)
    if outcome.outcome == "nothing new" and job.name == "refresh" and not _is_all_published(context):
        # Dagster skips the steps after one that yields nothing.
        outcome = Refresh(outcome.started_at, now(), "failed", _NOT_PUBLISHED)
    with contextlib.suppress(OSError, sqlite3.Error):  # on a full disk, the outcome is printed all the same
        context.ledger.record_run(outcome)
    return outcome


def _is_all_published(context: AppContext) -> bool:
    """Whether the published build is the last one, or there is nothing to publish."""
    candidate = context.ledger.candidate()
    return not context.has_files() or (candidate is not None and stages.is_published(context, candidate))


def refresh_outcome(
    context: AppContext, started_at: datetime, failures: list["DagsterEvent"], *, has_published: bool | None = None
) -> Refresh:
    """The outcome of a run with these failed steps. Unless the caller says whether it published, the last publication tells."""
    if has_published is None:
        last = context.ledger.last_publication()
        has_published = last is not None and last[1] >= started_at
    if not failures:
        return Refresh(started_at, now(), "published" if has_published else "nothing new", "")
    if any((event.step_key or "").startswith("published__") for event in failures):
        gate_result = stages.evaluate_gate(context)
        if not gate_result.may_publish:
            problems = "\n".join(str(problem) for problem in gate_result.blocking_problems)
            return Refresh(started_at, now(), "held back", problems)
    # A full disk fails many steps, and is one problem to fix.
    by_cause: dict[tuple[Code, str], Failure] = {}
    for event in failures:
        error = event.step_failure_data.error
        assert error is not None  # a failed step has one
        failure = failure_of_step(event.step_key or event.event_type_value, error, context)
        if not failure.is_expected:
            log.error("%s failed with an unexpected error: %s", event.step_key, error.to_string())
        by_cause.setdefault((failure.code, failure.next_step), failure)
    return Refresh(started_at, now(), "failed", "\n".join(map(str, by_cause.values())))
