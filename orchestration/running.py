"""Running the Dagster refresh job in this process, and telling how it ended.

Not here: what the job is made of (`defs/`), what is printed (`telling`).
"""

import logging
import os
import shutil
from pathlib import Path

from orchestration import stages
from orchestration.stages import Warehouse, Work
from warehouse.settings import PROJECT


def dagster_home(warehouse: Warehouse) -> Path:
    """Where Dagster keeps its history: DAGSTER_HOME, where an operator has set one, else a folder of the data folder,
    configured by the project's `dagster.yaml`.
    """
    if "DAGSTER_HOME" in os.environ:
        return Path(os.environ["DAGSTER_HOME"])
    home = warehouse.paths.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    return home


def run_refresh(
    warehouse: Warehouse, work: Work, *, verify: bool = False, full_refresh: bool = False
) -> tuple[str, str]:
    """Runs the job; gives how it ended (`published`, `nothing new`, `held back`, `failed`), and why."""
    import dagster as dg

    from models.vocabulary import Log
    from orchestration.definitions import defs
    from warehouse.exports import REPORTS

    logging.getLogger("dagster").setLevel(logging.ERROR)
    published_before = warehouse.ledger.last_publication()
    job = defs().resolve_job_def("refresh" if work.must_publish or any(work.files.values()) else "csv_exports")
    ops = {f"exports__{report}": {"config": {"only_new": True}} for report in REPORTS}
    if job.name == "refresh":
        ops |= {f"logs__{log}": {"config": {"verify": verify}} for log in Log}
        ops["build"] = {"config": {"full_refresh": full_refresh}}
    result = job.execute_in_process(
        instance=dg.DagsterInstance.from_config(str(dagster_home(warehouse))),
        raise_on_error=False,
        run_config={"ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    if result.success:
        is_new = warehouse.ledger.last_publication() != published_before
        return ("published" if is_new else "nothing new"), ""
    failed = [event for event in result.all_events if event.is_step_failure]
    if any(event.step_key.startswith("published__") for event in failed):
        verdict = stages.decide(warehouse)
        if not verdict.may_publish:
            return "held back", "\n".join(str(hold) for hold in verdict.holds)
    return "failed", "\n".join(_words(event) for event in failed) or "the run ended without a word"


def _words(event) -> str:
    """Why a step failed: the innermost cause, which is what a person can act on."""
    error = event.step_failure_data.error
    while error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {' '.join(error.message.split())[:600]}"
