"""The audit stage: dbt tests, mart contracts and expectations on the candidate, and its audit page.

Not here: the checks themselves (`quality.audit`, `dbt_project/tests`), the decision on the build (`quality.gate`).
"""

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from models.check_results import CheckResult
from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.build import reading_candidate
from orchestration.stages.context import AppContext, log
from orchestration.stages.gate import evaluate_gate, expected_checks_of
from quality import gate
from quality.audit.html_report import AuditedBuild, audit_page
from quality.audit.metrics import BuildFacts, LogFacts
from warehouse.config import sendmart_version
from warehouse.duckdb_tools.session import apply_limits
from warehouse.lake import change_feed
from warehouse.ledger import Build, now
from warehouse.publish import KeptBuilds, page_path, prune_pages, upload_files, write_page
from warehouse.transform import build, built_tables, check_scope
from warehouse.transform.dbt_runner import BuildFailed, dbt_manifest

if TYPE_CHECKING:
    from quality.audit.expectations import ExpectationResults


@mask_phone_numbers_in_errors
def test_candidate(context: AppContext) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate and records the results. Returns them by the unique ids of the tests."""
    with context.paths.writer_lock(), reading_candidate(context):
        started = time.perf_counter()
        _choose_rows_to_check(context)
        candidate = _candidate_to_check(context)
        results = build.run_tests(context.settings, context.paths, candidate)
        _record(context, results.values())
        _log_results("dbt tests", results.values(), started)
        return results


def _choose_rows_to_check(context: AppContext) -> None:
    """Selects the rows that this build changed, if its predecessor passed every check; else all rows."""
    candidate = context.ledger.candidate()
    predecessor = context.ledger.previous_build_of(candidate.build_id) if candidate else None
    if predecessor and gate.was_fully_checked(expected_checks_of(context), context.ledger.checks(predecessor)):
        manifest = dbt_manifest(context.settings, context.paths)
        rows = check_scope.copy_changed_rows(context.paths, manifest, change_feed.SCHEMA)
        log.info("checking the %d rows that this build changed; the others passed in earlier builds", rows)
    else:
        check_scope.check_all_rows(context.paths)
        log.info("checking all rows")


@mask_phone_numbers_in_errors
def audit_candidate(context: AppContext) -> list[CheckResult]:
    """Checks the candidate against the mart contracts and the expectations, records the results, writes the audit page."""
    from quality.audit.contracts import check_contracts
    from quality.audit.expectations import check_expectations

    with context.paths.writer_lock(), reading_candidate(context), duckdb.connect() as connection:
        apply_limits(connection, context.settings)
        built_tables.attach_candidate(connection, context.paths)
        changed_rows = check_scope.rows_to_check(connection, context.paths)
        started = time.perf_counter()
        results = check_contracts(connection, built_tables.CANDIDATE_SCHEMA, changed_rows, check_scope.NUMBER_IN_MODEL)
        _log_results("contracts", results, started)
        started = time.perf_counter()
        candidate = _candidate_to_check(context)
        facts = _build_facts(context, candidate)
        expectations = check_expectations(
            connection, built_tables.CANDIDATE_SCHEMA, facts, context.ledger.published_metrics()
        )
        _log_results("expectations", expectations.results, started)
        results += expectations.results
        _record(context, results)
        context.ledger.record_metrics(candidate.build_id, expectations.metrics)
        _write_page(context, candidate, results, expectations)
        return results


def _build_facts(context: AppContext, candidate: Build) -> BuildFacts:
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
            sendmart_version(),
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
    """The path of the candidate's audit page; None if there is none."""
    candidate = context.ledger.candidate()
    path = candidate and page_path(context.paths.audits, candidate.build_id)
    return path if path and path.exists() else None


def _candidate_to_check(context: AppContext) -> Build:
    candidate = context.ledger.candidate()
    if candidate is None:
        raise BuildFailed("there is no complete candidate to check. Run: sendmart refresh")
    return candidate


def _record(context: AppContext, results: Iterable[CheckResult]) -> None:
    context.ledger.record_checks(_candidate_to_check(context).build_id, results)


def _log_results(kind: str, results: Iterable[CheckResult], started: float) -> None:
    results = list(results)
    failed = [result for result in results if not result.passed]
    log.info(
        "%s: %d of %d passed in %.1f s", kind, len(results) - len(failed), len(results), time.perf_counter() - started
    )
    for result in failed:
        level = logging.ERROR if result.is_blocking else logging.WARNING
        log.log(level, "%s %s: %s", "failed" if result.is_blocking else "warning", result.name, result.detail)
