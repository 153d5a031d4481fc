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
from warehouse.lake import integrity
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged
from warehouse.ledger import Build
from warehouse.transform import build
from warehouse.transform.build import BuiltNode, CandidateDamaged
from warehouse.transform.build_identity import identity_mismatch
from warehouse.transform.built_tables import built_marts


def is_built(context: AppContext) -> bool:
    """Whether the candidate is up to date: another build would give the same."""
    return build.is_current(context.settings, context.paths, context.ledger)


@mask_phone_numbers_in_errors
def build_candidate(context: AppContext, *, full_refresh: bool = False) -> tuple[Build, list[BuiltNode]]:
    """Brings the candidate up to date with the lake; with `full_refresh`, builds every model in full.

    Raises:
        BuildFailed: dbt could not build a model.
        LakeDamaged: a file of the lake is damaged, and its log file is no longer in the landing zone.
    """
    with context.paths.writer_lock():
        started = time.perf_counter()
        lake_tables.ensure_lake(context.paths)
        candidate, nodes = _run_models(context, full_refresh=full_refresh)
        log.info("build %s: %d models in %.1f s", candidate.build_id, len(nodes), time.perf_counter() - started)
        marts = built_marts(context.paths)
        log.info("rows: %s", ", ".join(f"{name} {mart.rows:,}" for name, mart in marts.items()))
        return candidate, nodes


def _run_models(context: AppContext, *, full_refresh: bool) -> tuple[Build, list[BuiltNode]]:
    """Builds. If a file turns out to be damaged, repairs what can be repaired, and builds once more."""

    def verify_lake() -> None:
        started = time.perf_counter()
        if damaged := integrity.find_damaged(context.paths, context.ledger, verify_checksums=True):
            raise LakeDamaged(damaged)
        log.info("the checksums of the lake were verified in %.1f s", time.perf_counter() - started)

    run = partial(build.run_models, context.settings, context.paths, context.ledger, verify_lake)
    try:
        return run(full_refresh=full_refresh)
    except LakeDamaged as error:
        for log_name in {file.log for file in error.files}:
            load_changed(context, log_name, verify=True)
        return run(full_refresh=full_refresh)
    except (CandidateDamaged, duckdb.Error) as error:
        if not is_corruption_error(str(error)):
            raise
        log.warning("%s: the candidate is deleted and built in full from the lake", error)
        build.remove_candidate(context.paths, context.ledger)
        return run(full_refresh=True)


@contextmanager
def reading_candidate(context: AppContext) -> Iterator[None]:
    """Reads the candidate. It is removed if it is damaged or another dbt run has written to it: the next refresh builds it in
    full.

    Raises:
        CandidateDamaged: with the reason.
    """
    try:
        if reason := identity_mismatch(context.paths, context.ledger):
            build.remove_candidate(context.paths, context.ledger)
            raise CandidateDamaged(reason)
        yield
    except (CandidateDamaged, duckdb.Error) as error:
        if not is_corruption_error(str(error)):
            raise
        build.remove_candidate(context.paths, context.ledger)
        raise CandidateDamaged(str(error)) from error
