"""Running the Dagster refresh job in this process, and what a run of it came to, wherever it ran.

Not here: what the job is made of (`defs/`), what is printed (`telling`).
"""

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models.error_codes import Code
from models.masking import masking_logger
from orchestration import stages
from orchestration.errors import failure_of_step
from orchestration.stages import AppContext, RefreshPlan
from warehouse.config.settings import PROJECT
from warehouse.ledger import Refresh, now

if TYPE_CHECKING:
    from dagster import DagsterEvent

log = masking_logger("sendmart")

STARTED_BY = "sendmart/started_by"
"""The tag that tells what started a run: `schedule`, `export_schedule`, `landing zone`, `manual_load`, `command line`."""

STARTED_BY_COMMAND = {STARTED_BY: "command line"}
"""The tag of runs that report their end themselves."""

_NOT_FINISHED = (
    f"{Code.REFRESH_NOT_FINISHED}: it is at work, or was killed, or could not note how it ended. Refresh again: what was"
    f" half done is done over. See {Code.REFRESH_NOT_FINISHED.page}"
)


def dagster_home(context: AppContext) -> Path:
    """Where Dagster keeps its history: DAGSTER_HOME, where an operator has set one, else a folder of the data folder,
    configured by the project's `dagster.yaml`.
    """
    if "DAGSTER_HOME" in os.environ:
        return Path(os.environ["DAGSTER_HOME"])
    home = context.paths.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    return home


def run_refresh(context: AppContext, work: RefreshPlan, *, verify: bool = False, full_refresh: bool = False) -> Refresh:
    """Runs the refresh job, or, where there is nothing but exports to do, the job for these; notes how it ended."""
    import dagster as dg

    from models.enums import Log
    from orchestration.definitions import defs
    from warehouse.export import REPORTS

    logging.getLogger("dagster").setLevel(logging.ERROR)
    started_at = now()
    # Where it is killed, or cannot note its end, this is what is known of it.
    context.ledger.record_run(Refresh(started_at, started_at, "not finished", _NOT_FINISHED))
    published_before = context.ledger.last_publication()
    definitions = defs()
    job = definitions.resolve_job_def("refresh" if work.must_publish or any(work.files.values()) else "csv_exports")
    ops = {f"exports__{report}": {"config": {"skip_if_exported": True}} for report in REPORTS}
    if job.name == "refresh":
        ops |= {f"logs__{log}": {"config": {"verify": verify}} for log in Log}
        ops["build"] = {"config": {"full_refresh": full_refresh}}
    instance = dg.DagsterInstance.from_config(str(dagster_home(context)))
    # Runs of this command that were killed: the writer's lock is held, so none of them is alive, and nobody else ends them.
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
            # Nobody but who gave the command starts it again.
            tags={**STARTED_BY_COMMAND, "dagster/max_retries": "0"},
        )
        failures += [event for event in result.all_events if event.is_step_failure]
    # By what is noted, not by the clock: it may have jumped meanwhile.
    is_new = context.ledger.last_publication() != published_before
    ended = refresh_outcome(context, started_at, failures, is_new=is_new)
    with contextlib.suppress(OSError, sqlite3.Error):  # on a full disk, what went wrong is still told
        context.ledger.record_run(ended)
    return ended


def refresh_outcome(
    context: AppContext, started_at: datetime, failures: Iterable["DagsterEvent"], *, is_new: bool | None = None
) -> Refresh:
    """What a run of the refresh job came to: `published`, `nothing new`, `held back` or `failed`, and why.

    `is_new`: whether it published; None where that is to be told by the clock.
    """
    failures = list(failures)
    if not failures:
        if is_new is None:
            last = context.ledger.last_publication()
            is_new = last is not None and last[1] >= started_at
        return Refresh(started_at, now(), "published" if is_new else "nothing new", "")
    if any(event.step_key.startswith("published__") for event in failures):
        gate_result = stages.evaluate_gate(context)
        if not gate_result.may_publish:
            return Refresh(
                started_at, now(), "held back", "\n".join(str(problem) for problem in gate_result.blocking_problems)
            )
    told = {}
    for event in failures:
        error = event.step_failure_data.error
        failure = failure_of_step(event.step_key, error, context)
        if not failure.is_expected:
            log.error("%s broke off: %s", event.step_key, error.to_string())
        # A full disk fails many steps, and is one thing to mend.
        told.setdefault((failure.code, failure.next_step), failure)
    return Refresh(started_at, now(), "failed", "\n".join(map(str, told.values())))
