"""The build stage: dbt brings the candidate up to date with the lake."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import duckdb

from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.context import AppContext, log
from orchestration.stages.load import load_changed
from warehouse.duckdb_tools.health import is_corruption_error
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged
from warehouse.ledger import Build
from warehouse.transform import build
from warehouse.transform.candidate import CandidateDamaged, built_tables, identity_mismatch, remove_candidate


def is_built(context: AppContext) -> bool:
    """Whether the candidate is up to date: another build would give the same."""
    return build.is_current(context.settings, context.paths, context.ledger)


@mask_phone_numbers_in_errors
def build_candidate(context: AppContext, *, full_refresh: bool = False) -> tuple[Build, dict[str, float]]:
    """Brings the candidate up to date with the lake. Returns it, and the seconds of each model or seed by its unique id.
    Raises BuildFailed, or LakeDamaged if a damaged file of the lake has no log file to load it from.
    """
    with context.paths.writer_lock():
        started = time.perf_counter()
        lake_tables.ensure_lake(context.paths)
        candidate, seconds = _run_models(context, full_refresh=full_refresh)
        log.info("build %s: %d models in %.1f s", candidate.build_id, len(seconds), time.perf_counter() - started)
        marts = {name: table.rows for name, table in built_tables(context.paths).items() if table.preview}
        log.info("rows: %s", ", ".join(f"{name} {marts[name]:,}" for name in sorted(marts)))
        return candidate, seconds


def _run_models(context: AppContext, *, full_refresh: bool) -> tuple[Build, dict[str, float]]:
    """Builds. If a file turns out to be damaged, repairs what can be repaired, and builds once more."""
    run = partial(build.run_models, context.settings, context.paths, context.ledger)
    try:
        return run(full_refresh=full_refresh)
    except LakeDamaged as error:
        for log_name in {file.log for file in error.files}:
            load_changed(context, log_name, verify=True)
        return run(full_refresh=full_refresh)
    except (CandidateDamaged, duckdb.Error) as error:
        if not isinstance(error, CandidateDamaged) and not is_corruption_error(str(error)):
            raise
        log.warning("%s: the candidate is deleted and built in full from the lake", error)
        remove_candidate(context.paths, context.ledger)
        return run(full_refresh=True)


def check_identity(context: AppContext) -> None:
    """Removes the candidate, and raises CandidateDamaged, if its files are not those of the last build."""
    if reason := identity_mismatch(context.paths, context.ledger):
        remove_candidate(context.paths, context.ledger)
        raise CandidateDamaged(reason)


@contextmanager
def reading_candidate(context: AppContext) -> Iterator[None]:
    """Reads the candidate. Removes it, and raises CandidateDamaged, if it is damaged or another dbt run has written to it."""
    try:
        check_identity(context)
        yield
    except (CandidateDamaged, duckdb.Error) as error:
        if not is_corruption_error(str(error)):
            raise
        remove_candidate(context.paths, context.ledger)
        raise CandidateDamaged(str(error)) from error
