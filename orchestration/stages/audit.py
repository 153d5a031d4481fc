"""The audit stage: dbt tests, mart contracts and expectations on the candidate, and its audit page.

Not here: the checks themselves (`quality.audit`, `dbt_project/tests`), the decision on the build (`quality.gate`).
"""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from models.check_results import CheckResult
from models.marts import dbt_marts
from models.masking import mask_phone_numbers_in_errors
from orchestration.stages.build import check_identity, reading_candidate
from orchestration.stages.context import AppContext, log
from orchestration.stages.gate import evaluate_gate, expected_checks_of
from quality import gate
from quality.audit.html_report import AuditedBuild, audit_page
from quality.audit.metrics import BuildFacts
from warehouse.config import sendmart_version
from warehouse.duckdb_tools.session import apply_limits, attached
from warehouse.ledger import Build, now
from warehouse.publish.audit_pages import page_path, prune_pages, write_page
from warehouse.publish.kept_builds import KeptBuilds
from warehouse.publish.pointer import upload_files
from warehouse.transform import check_scope, dbt_tests
from warehouse.transform.dbt_runner import BuildFailed, dbt_manifest


@mask_phone_numbers_in_errors
def test_candidate(context: AppContext) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate and records the results. Returns them by the unique ids of the tests."""
    with context.paths.writer_lock(), reading_candidate(context):
        started = time.perf_counter()
        candidate = _candidate_to_check(context)
        _choose_rows_to_check(context, candidate)
        results = dbt_tests.run_tests(context.settings, context.paths, candidate)
        check_identity(context)  # dbt creates an empty file in place of one that was removed
        context.ledger.record_checks(candidate.build_id, results.values())
        _log_results("dbt tests", results.values(), started)
        return results


def _choose_rows_to_check(context: AppContext, candidate: Build) -> None:
    """Selects the rows that this build changed, if its predecessor passed every check; else all rows."""
    predecessor = context.ledger.previous_build_of(candidate.build_id)
    if predecessor and gate.was_fully_checked(expected_checks_of(context), context.ledger.checks(predecessor)):
        manifest = dbt_manifest(context.settings, context.paths)
        rows = check_scope.copy_changed_rows(context.settings, context.paths, manifest)
        log.info("checking the %d rows that this build changed; the others passed in earlier builds", rows)
    else:
        check_scope.check_all_rows(context.paths)
        log.info("checking all rows")


@mask_phone_numbers_in_errors
def audit_candidate(context: AppContext) -> tuple[Build, list[CheckResult]]:
    """Checks the candidate against the mart contracts and the expectations, records the results, writes the audit page."""
    # pandera takes half a second to import.
    from quality.audit.contracts import check_contracts
    from quality.audit.expectations import check_expectations

    paths, ledger = context.paths, context.ledger
    files = {"candidate": paths.candidate, "build": paths.build}
    with paths.writer_lock(), reading_candidate(context), attached(read_only=True, **files) as connection:
        candidate = _candidate_to_check(context)
        apply_limits(connection, context.settings)
        changed_rows = check_scope.rows_to_check(connection)
        marts = dbt_marts(insights=context.settings.insights)
        started = time.perf_counter()
        results = check_contracts(
            connection, marts, changed_rows, check_scope.NUMBER_IN_MODEL, context.settings.threads
        )
        _log_results("contracts", results, started)
        started = time.perf_counter()
        logs = ledger.log_dates(candidate.data_until)
        facts = BuildFacts(candidate.build_id, candidate.data_until, now(), logs)
        expectations = check_expectations(connection, marts, facts, ledger.published_metrics())
        _log_results("expectations", expectations.results, started)
        results += expectations.results
        ledger.record_checks(candidate.build_id, results)
        ledger.record_metrics(candidate.build_id, expectations.metrics)
        names = {result.name for result in results}
        problems = [str(problem) for problem in evaluate_gate(context).blocking_problems]
        page = audit_page(
            AuditedBuild(candidate.build_id, candidate.data_until, now(), sendmart_version(), problems),
            [result for result in ledger.checks(candidate.build_id) if result.name not in names],
            results,
            expectations.compared,
            dbt_tests.tested_models(context.settings, context.paths),
        )
        path = write_page(context.paths, candidate.build_id, page)
        prune_pages(context.paths, KeptBuilds(context.paths.kept_builds, ledger).build_ids())
        upload_files(context.paths, path)
        log.info("audit page: %s", path)
        return candidate, results


def audit_page_of(context: AppContext) -> Path | None:
    candidate = context.ledger.candidate()
    path = candidate and page_path(context.paths, candidate.build_id)
    return path if path and path.exists() else None


def _candidate_to_check(context: AppContext) -> Build:
    candidate = context.ledger.candidate()
    if candidate is None:
        raise BuildFailed("there is no complete candidate to check. Run: sendmart refresh")
    return candidate


def _log_results(kind: str, results: Iterable[CheckResult], started: float) -> None:
    results = list(results)
    failed = [result for result in results if not result.passed]
    passed, seconds = len(results) - len(failed), time.perf_counter() - started
    log.info("%s: %d of %d passed in %.1f s", kind, passed, len(results), seconds)
    for result in failed:
        level, word = (logging.ERROR, "failed") if result.is_blocking else (logging.WARNING, "warning")
        log.log(level, "%s %s: %s", word, result.name, result.detail)
