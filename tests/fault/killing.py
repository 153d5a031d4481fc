"""Refreshes that are killed: at a named point, or after some seconds, each in a process of its own.

A point is a call of a function of the product. The process that will be killed replaces the function by one that kills it,
so the product needs no hook.

Not here: what must be true after a kill, and after the refresh that follows (`tests.fault.test_killed`).
"""

import os
import pkgutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from orchestration import stages
from orchestration.stages import AppContext
from tests.processes import processes
from tests.running import refresh_without_dagster as refresh

PATIENCE_SECONDS = 120
"""The longest wait for a refresh, which takes a few seconds."""


@dataclass(frozen=True)
class CrashPoint:
    """The moment before or after a call of a function. `call` counts its calls from 1; with `argument`, only those calls that
    have it as an argument, the name of a model or of a file.
    """

    function: str
    is_after: bool
    call: int
    argument: str | None

    def arm(self) -> None:
        """Makes this process die at the point."""
        owner_name, _, name = self.function.rpartition(".")
        owner = pkgutil.resolve_name(owner_name)
        function, calls = getattr(owner, name), count(1)

        def deadly(*args: Any, **kwargs: Any) -> Any:
            is_meant = self.argument is None or any(Path(str(arg)).name == self.argument for arg in args)
            is_last = is_meant and next(calls) == self.call
            if is_last and not self.is_after:
                _die()
            result = function(*args, **kwargs)
            if is_last:
                _die()
            return result

        setattr(owner, name, deadly)


def before(function: str, call: int = 1, argument: str | None = None) -> CrashPoint:
    return CrashPoint(function, False, call, argument)


def after(function: str, call: int = 1, argument: str | None = None) -> CrashPoint:
    return CrashPoint(function, True, call, argument)


def after_model(name: str) -> CrashPoint:
    """After dbt logged that a model was built."""
    return after("warehouse.transform.dbt_runner.log.log", argument=name)


OLD_EXPORT = "campaign_metrics_20200101T000000Z.csv"

IN_A_LOAD = {
    "the previous version is kept, the change is not recorded": before("warehouse.ledger.Ledger.record_changes"),
    "the change is recorded, no file has moved": after("warehouse.lake.change_feed.record"),
    "the lake file has moved, the quarantine file has not": after("warehouse.lake.tables.StagedParquet.commit"),
    "both files have moved, the ledger does not record them": before("warehouse.ledger.Ledger.record_files"),
}
IN_A_PUBLICATION_OF_QUARANTINE = {
    "the ledger records the files, the quarantine is not published": before(
        "orchestration.stages.quarantine.write_published_quarantine"
    ),
    "the published quarantine is about to be replaced": before(
        "warehouse.quarantine.published.atomic_replace", argument="quarantine.duckdb"
    ),
}
IN_AN_UPDATE_OF_KEY_CONFLICTS = {
    "rows of the index are replaced, nothing is committed": before(
        "warehouse.quarantine.key_conflicts._compare_candidates"
    ),
    "the index is committed, the ledger does not know": before("warehouse.ledger.Ledger.record_conflicting_rows"),
}
BETWEEN_LOGS = {
    "between two logs": before("orchestration.stages.load_changed", call=4),
}
IN_A_BUILD = {
    "the ledger has forgotten the candidate": after("warehouse.ledger.Ledger.forget_candidate"),
    "the tables of the last run are dropped, the views on changes are not created": before(
        "warehouse.lake.change_feed.create_views"
    ),
    "every model is built, the candidate is not recorded": before("warehouse.ledger.Ledger.record_candidate"),
    "the candidate is recorded, the previous versions are not deleted": before("warehouse.lake.change_feed.prune"),
}
BETWEEN_MODELS = {
    "the largest of the stateful models is built": after_model("int_messages_resolved"),
    "one of the marts is built": after_model("campaign_metrics"),
}
IN_A_BUILD_OF_CHANGED_CODE = {
    "the tables of changed models are dropped": after("warehouse.transform.build._drop"),
}
IN_A_FULL_BUILD = {
    "one of the two database files is removed": after("warehouse.transform.candidate.remove", call=2),
    "both database files are removed": after("warehouse.transform.candidate.remove", call=4),
    "both database files are new and empty": after("warehouse.lake.change_feed.create_views"),
}
IN_A_PUBLICATION = {
    "the candidate is copied, the copy has no build_info": before("warehouse.publish.published_file._write_build_info"),
    "the copy has its build_info": after("warehouse.publish.published_file._write_build_info"),
    "the copy is about to be added to the kept builds": before("warehouse.publish.kept_builds.atomic_replace"),
    "the copy is a kept build, the published file is about to be replaced": before(
        "warehouse.publish.publication.atomic_replace"
    ),
    "the published file is replaced, current.json names the build before": before(
        "warehouse.publish.pointer.write_pointer"
    ),
    "the published file is replaced, the ledger does not record the publication": before(
        "warehouse.ledger.Ledger.record_publication"
    ),
    "the ledger records the publication, old builds are not pruned": before(
        "warehouse.publish.kept_builds.KeptBuilds.prune"
    ),
    "the ledger records the publication, nothing is exported": after("warehouse.ledger.Ledger.record_publication"),
}
IN_A_ROLLBACK = {
    "the published file is about to be replaced by the earlier build": before(
        "warehouse.publish.publication.atomic_replace", argument="sendmart.duckdb"
    ),
    "the earlier build is published, current.json names the later one": before(
        "warehouse.publish.pointer.write_pointer"
    ),
    "the earlier build is published, the ledger does not record the rollback": before(
        "warehouse.ledger.Ledger.record_publication"
    ),
    "the ledger records the rollback": after("warehouse.ledger.Ledger.record_publication"),
}
IN_AN_EXPORT = {
    "the rows are a temporary file, the description is not written": before(
        "warehouse.export.exports.write_description"
    ),
    "the description is written, the rows are a temporary file": before("warehouse.export.exports.atomic_replace"),
    "the rows and the description are written, the ledger does not record the export": before(
        "warehouse.ledger.Ledger.record_export"
    ),
    "some reports are exported, others are not": before("warehouse.export.exports.atomic_replace", call=3),
}
IN_THE_CHECKS = {
    "the rows to check are copied, no dbt test has run": before("warehouse.transform.dbt_tests.run_tests"),
    "the dbt tests have run, their results are not recorded": before("warehouse.ledger.Ledger.record_checks"),
    "the results of the dbt tests are recorded, the audit has not begun": before(
        "quality.audit.contracts.check_contracts"
    ),
    "the audit has ended, its results are not recorded": before("warehouse.ledger.Ledger.record_checks", call=2),
}
IN_THE_PRUNING = {
    "one old export is deleted, others are not": after("pathlib.Path.unlink", argument=OLD_EXPORT),
}
CRASH_POINTS = {
    **IN_THE_CHECKS,
    **IN_THE_PRUNING,
    **IN_A_LOAD,
    **IN_A_PUBLICATION_OF_QUARANTINE,
    **IN_AN_UPDATE_OF_KEY_CONFLICTS,
    **BETWEEN_LOGS,
    **IN_A_BUILD,
    **BETWEEN_MODELS,
    **IN_A_BUILD_OF_CHANGED_CODE,
    **IN_A_FULL_BUILD,
    **IN_A_PUBLICATION,
    **IN_A_ROLLBACK,
    **IN_AN_EXPORT,
}


def refresh_killed_at(warehouse: AppContext, point: str, *, full_refresh: bool = False, checks: bool = False) -> None:
    """A refresh that is killed at a named point."""
    with _started(_refresh_until, warehouse, CRASH_POINTS[point], full_refresh, checks) as process:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -signal.SIGKILL, f"exit code {process.exitcode}: it did not reach the point: {point}"


def roll_back_killed_at(warehouse: AppContext, point: str) -> None:
    """A rollback that is killed at a named point."""
    with _started(_roll_back_until, warehouse, CRASH_POINTS[point]) as process:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -signal.SIGKILL, f"exit code {process.exitcode}: it did not reach the point: {point}"


def refresh_killed_after(warehouse: AppContext, seconds: float | None, *, checks: bool = False) -> bool:
    """A refresh that is killed after some seconds, if it has not ended; None lets it end. Returns whether it was killed."""
    with _started(_refresh_whole, warehouse, checks) as process:
        process.join(seconds)
        process.kill()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode in (0, -signal.SIGKILL), "the refresh failed by itself"
        return process.exitcode != 0


def seconds_of_a_refresh(warehouse: AppContext, *, checks: bool = False) -> float:
    """The seconds of a refresh that is not killed, in a process of its own."""
    started = time.perf_counter()
    with _started(_refresh_whole, warehouse, checks) as process:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == 0, "the refresh failed"
    return time.perf_counter() - started


@contextmanager
def _started(function: Callable[..., None], *args: Any) -> Iterator[BaseProcess]:
    process = processes.Process(target=function, args=args)
    process.start()
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _refresh_whole(warehouse: AppContext, checks: bool) -> None:
    refresh(warehouse, checks=checks)


def _refresh_until(warehouse: AppContext, point: CrashPoint, full_refresh: bool, checks: bool) -> None:
    point.arm()
    refresh(warehouse, full_refresh=full_refresh, checks=checks)


def _roll_back_until(warehouse: AppContext, point: CrashPoint) -> None:
    point.arm()
    stages.rollback_build(warehouse)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
