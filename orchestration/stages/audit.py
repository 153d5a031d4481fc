"""The audit stage: dbt tests, mart contracts and expectations on the candidate, and its audit page."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from models.check_results import CheckResult
from models.masking import mask_phone_numbers_in_errors
from quality import gate
from quality.audit.html_report import AuditedBuild, audit_page
from quality.audit.metrics import BuildFacts, LogFacts
from warehouse.duckdb_tools.session import apply_limits
from warehouse.ledger import Build, now
from warehouse.publish import KeptBuilds, page_path, prune_pages, upload_files, write_page
from warehouse.transform import build, check_scope
from warehouse.transform.dbt_runner import BuildFailed, dbt_manifest

if TYPE_CHECKING:
    from quality.audit.expectations import ExpectationResults
from orchestration.stages.build import _reading_candidate
from orchestration.stages.context import AppContext, log
from orchestration.stages.gate import _expected_checks, evaluate_gate


@mask_phone_numbers_in_errors
def test_candidate(context: AppContext) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate and records what they say; by the tests' unique ids."""
    with context.paths.writer_lock(), _reading_candidate(context):
        started = time.perf_counter()
        _choose_rows_to_check(context)
        candidate = _candidate_to_check(context)
        results = build.run_tests(context.settings, context.paths, candidate)
        _record(context, results.values())
        _tell("dbt tests", results.values(), started)
        return results


def _choose_rows_to_check(context: AppContext) -> None:
    """All rows of the candidate, or, where the build that it went on from was held to every check, those it touched."""
    candidate = context.ledger.candidate()
    previous_build_of = context.ledger.previous_build_of(candidate.build_id) if candidate else None
    if previous_build_of and gate.was_fully_checked(
        _expected_checks(context), context.ledger.checks(previous_build_of)
    ):
        manifest = dbt_manifest(context.settings, context.paths)
        rows = check_scope.copy_changed_rows(context.paths, manifest)
        log.info("rows to check: the %d that the build touched; the others were checked in those before", rows)
    else:
        check_scope.check_all_rows(context.paths)
        log.info("rows to check: all")


@mask_phone_numbers_in_errors
def audit_candidate(context: AppContext) -> list[CheckResult]:
    """Holds the candidate to the mart contracts and the expectations, records what they say, and shows it on a page."""
    from quality.audit.contracts import check_contracts
    from quality.audit.expectations import check_expectations

    with context.paths.writer_lock(), _reading_candidate(context), duckdb.connect() as connection:
        apply_limits(connection, context.settings)
        build.attach_candidate(connection, context.paths)
        touched = check_scope.rows_to_check(connection, context.paths)
        started = time.perf_counter()
        results = check_contracts(connection, build.CANDIDATE_SCHEMA, touched, check_scope.NUMBER_IN_MODEL)
        _tell("contracts", results, started)
        started = time.perf_counter()
        candidate = _candidate_to_check(context)
        facts = _facts_of(context, candidate)
        expectations = check_expectations(connection, build.CANDIDATE_SCHEMA, facts, context.ledger.published_metrics())
        _tell("expectations", expectations.results, started)
        results += expectations.results
        _record(context, results)
        context.ledger.record_metrics(candidate.build_id, expectations.metrics)
        _write_page(context, candidate, results, expectations)
        return results


def _facts_of(context: AppContext, candidate: Build) -> BuildFacts:
    logs = context.ledger.log_dates(candidate.data_until)
    return BuildFacts(
        candidate.build_id,
        candidate.data_until,
        now(),
        {log: LogFacts(latest, rows) for log, (latest, rows) in logs.items()},
    )


def _write_page(
    context: AppContext, candidate: Build, audited: list[CheckResult], expectations: "ExpectationResults"
) -> None:
    names = {result.name for result in audited}
    page = audit_page(
        AuditedBuild(
            candidate.build_id,
            candidate.data_until,
            now(),
            build.sendmart_version(),
            [str(problem) for problem in evaluate_gate(context).blocking_problems],
        ),
        [result for result in context.ledger.checks(candidate.build_id) if result.name not in names],
        audited,
        expectations.compared,
        build.tested_models(context.settings, context.paths),
    )
    path = write_page(context.paths.audits, candidate.build_id, page)
    prune_pages(context.paths.audits, KeptBuilds(context.paths.kept_builds, context.ledger).build_ids())
    upload_files(context.paths, path)
    log.info("audit page: %s", path)


def audit_page_of(context: AppContext) -> Path | None:
    """Where the page is that tells what was checked of the candidate; None where there is none."""
    candidate = context.ledger.candidate()
    path = candidate and page_path(context.paths.audits, candidate.build_id)
    return path if path and path.exists() else None


def _candidate_to_check(context: AppContext) -> Build:
    candidate = context.ledger.candidate()
    if candidate is None:
        raise BuildFailed("there is no whole candidate to check; refresh again")
    return candidate


def _record(context: AppContext, results: Iterable[CheckResult]) -> None:
    context.ledger.record_checks(_candidate_to_check(context).build_id, results)


def _tell(kind: str, results: Iterable[CheckResult], started: float) -> None:
    results = list(results)
    failed = [result for result in results if not result.passed]
    log.info(
        "%s: %d of %d hold in %.1f s", kind, len(results) - len(failed), len(results), time.perf_counter() - started
    )
    for result in failed:
        level = logging.ERROR if result.is_blocking else logging.WARNING
        log.log(level, "%s %s: %s", "failed" if result.is_blocking else "warning", result.name, result.detail)
