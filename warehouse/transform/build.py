"""The build: dbt computes the marts of a candidate from the lake and tests them.

A candidate is two DuckDB files: `build.duckdb` holds staging, `*_this_run` and intermediate models and the rows that failed
a test, `candidate.duckdb` holds the marts. A build is incremental: it applies the open changes of the change feed. Models
whose code or settings have changed are built in full. The ledger records the candidate once every model is built.

Not here: the models (`dbt_project/`), how dbt is run (`warehouse.transform.dbt_runner`), the release gate
(`quality.gate`), publication (`warehouse.publish`).
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

from models.check_results import CheckResult, Rule
from models.masking import masking_logger
from warehouse.config import DataPaths, Settings, sendmart_version
from warehouse.duckdb_tools import corruption_reason, is_corruption_error, literal
from warehouse.lake import change_feed
from warehouse.ledger import Build, Change, Ledger, now
from warehouse.storage import remove
from warehouse.transform import check_scope, spark
from warehouse.transform.build_identity import identity_mismatch, write_identity
from warehouse.transform.column_lineage import record_column_lineage
from warehouse.transform.compiled_sql import record_full_build_sql
from warehouse.transform.dbt_runner import (
    BUILD_DATABASE,
    CANDIDATE_DATABASE,
    BuildFailed,
    dbt_manifest,
    first_line,
    project_files,
    run_dbt,
)
from warehouse.transform.failing_rows import describe_failing_rows
from warehouse.transform.fingerprints import ModelFingerprints

log = masking_logger("sendmart.build")


class CandidateDamaged(Exception):
    """A file of the candidate is damaged, which only reading it revealed."""


@dataclass(frozen=True)
class BuiltNode:
    """A model or seed that was built."""

    unique_id: str
    name: str
    seconds: float


def inputs(settings: Settings, ledger: Ledger) -> str:
    """A fingerprint of everything that a build depends on: loaded files, settings of figures, dbt project, version."""
    digest = hashlib.sha256()
    digest.update(ledger.files_fingerprint().encode())
    digest.update(f"{ledger.data_until()} {sendmart_version()}".encode())
    if spark.is_spark(settings):
        digest.update(settings.engine.encode())
    digest.update(json.dumps(settings.figure_settings(), sort_keys=True).encode())
    for file in project_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_current(settings: Settings, paths: DataPaths, ledger: Ledger) -> bool:
    """Whether a build now would give the same candidate."""
    build = ledger.candidate()
    if build is None or not (paths.build.exists() and paths.candidate.exists()) or ledger.open_changes():
        return False
    if corruption_reason(paths.build) or corruption_reason(paths.candidate):
        return False
    if identity_mismatch(paths, ledger):
        return False
    if spark.is_spark(settings) and not spark.is_complete(paths, build.build_id):
        return False
    return build.inputs == inputs(settings, ledger)


def run_models(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    verify_lake: Callable[[], None],
    *,
    full_refresh: bool = False,
) -> tuple[Build, list[BuiltNode]]:
    """Builds the candidate incrementally, or in full with `full_refresh`, and records it in the ledger.

    Args:
        verify_lake: called before a full build, which reads every file of the lake, and after DuckDB met a damaged file;
            it raises an exception if a file of the lake is damaged.

    Raises:
        BuildFailed: the message names the failed models, with dbt's messages.
        CandidateDamaged: a file of the candidate is damaged.
        LakeDamaged: a file of the lake is damaged.
    """
    if spark.is_spark(settings):
        return _run_on_spark(settings, paths, ledger, verify_lake)
    build_inputs = inputs(settings, ledger)
    changes = ledger.open_changes()
    _remove_damaged(paths, ledger)
    manifest = dbt_manifest(settings, paths)
    fingerprints = ModelFingerprints.of(manifest, settings.figure_settings(), sendmart_version())
    in_full = set(fingerprints.relations) if full_refresh else _models_in_full(fingerprints, paths, ledger, changes)
    is_all_in_full = in_full >= fingerprints.relations.keys()
    if is_all_in_full:
        verify_lake()
    # If the checks have changed, they check all rows: the build then has no predecessor.
    is_incremental = not in_full and not fingerprints.changed_since(ledger.built_from())
    _prepare(paths, ledger, changes, in_full, fingerprints)
    results = run_dbt(settings, paths, ["build", *_selection(fingerprints, in_full)])
    if (message := _failures(results)) and is_corruption_error(message):
        verify_lake()
        raise CandidateDamaged(message)
    if message:
        raise BuildFailed(message)
    build = Build(_new_build_id(), build_inputs, ledger.data_until(), now())
    predecessor = ledger.last_build() if is_incremental else None
    write_identity(paths, build)
    ledger.record_candidate(build, changes, fingerprints.by_name, predecessor.build_id if predecessor else None)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        change_feed.create_views_of_added_rows(connection, BUILD_DATABASE, paths, [] if is_all_in_full else changes)
    change_feed.prune(paths, ledger)
    if is_all_in_full:
        record_full_build_sql(settings, paths, results)
    models = [result.node for result in results if result.node.unique_id in in_full - fingerprints.seeds]
    record_column_lineage(paths.column_lineage, manifest, {node.unique_id: node.compiled_code for node in models})
    return build, _built(results)


def _run_on_spark(
    settings: Settings, paths: DataPaths, ledger: Ledger, verify_lake: Callable[[], None]
) -> tuple[Build, list[BuiltNode]]:
    """Builds every model in full on Spark. A later build on DuckDB is in full, too."""
    build_inputs = inputs(settings, ledger)
    changes = ledger.open_changes()
    verify_lake()
    remove_candidate(paths, ledger)
    build = Build(_new_build_id(), build_inputs, ledger.data_until(), now())
    results = spark.build_models(settings, paths, ledger, build.build_id)
    if message := _failures(results):
        raise BuildFailed(message)
    spark.create_duckdb_views(settings, paths, build.build_id)
    write_identity(paths, build)
    ledger.record_candidate(build, changes, {}, None)
    change_feed.prune(paths, ledger)
    return build, _built(results)


def _failures(results: list[Any]) -> str:
    """A message that names the models that were not built, with dbt's messages; empty if all were."""
    failed = [result for result in results if result.status not in ("success", "pass")]
    messages = "; ".join(f"{result.node.name}: {first_line(result.message)}" for result in failed if result.message)
    return f"{len(failed)} of {len(results)} models were not built: {messages}" if failed else ""


def _built(results: list[Any]) -> list[BuiltNode]:
    return [BuiltNode(result.node.unique_id, result.node.name, round(result.execution_time, 3)) for result in results]


def _remove_damaged(paths: DataPaths, ledger: Ledger) -> None:
    """Removes the candidate's files if one of them cannot be opened, so that every model is built in full."""
    if ledger.built_from() and (reason := corruption_reason(paths.build) or corruption_reason(paths.candidate)):
        log.warning("%s: the build is removed, and everything is built in full from the lake", reason)
        remove_candidate(paths, ledger)


def remove_candidate(paths: DataPaths, ledger: Ledger) -> None:
    """Removes the candidate's files; the next build is in full."""
    ledger.forget_candidate()
    ledger.forget_built_from(ledger.built_from())
    for file in (paths.build, paths.candidate):
        remove(file)
        remove(file.with_name(f"{file.name}.wal"))


def _selection(fingerprints: ModelFingerprints, in_full: set[str]) -> list[str]:
    """Arguments that select every model, and the seeds that have changed."""
    unchanged_seeds = sorted(fingerprints.seeds - in_full)
    selection = ["--resource-type", "seed", "--resource-type", "model"]
    if not unchanged_seeds:
        return selection
    return [*selection, "--exclude", *(name.rpartition(".")[2] for name in unchanged_seeds)]


def _models_in_full(
    fingerprints: ModelFingerprints, paths: DataPaths, ledger: Ledger, changes: list[Change]
) -> set[str]:
    """The models and seeds that must be built in full, because an incremental build of them would not be exact."""
    built_from = ledger.built_from()
    if not (built_from and paths.build.exists() and paths.candidate.exists()):
        log.info("there is no earlier build: everything is built in full")
        return set(fingerprints.relations)
    if not change_feed.are_complete(paths, changes):
        log.warning("replaced rows of the lake are missing from %s: everything is built in full", paths.changes)
        return set(fingerprints.relations)
    if removed := built_from.keys() - fingerprints.by_name.keys():
        log.info("removed: %s; everything is built in full", _listed(removed))
        return set(fingerprints.relations)
    if reason := identity_mismatch(paths, ledger):
        log.warning("%s: everything is built in full", reason)
        return set(fingerprints.relations)
    changed = fingerprints.changed_since(built_from)
    in_full = fingerprints.downstream_of(changed)
    if in_full:
        count = len(fingerprints.relations)
        log.info("changed: %s; %d of %d models are built in full", _listed(changed), len(in_full), count)
    return in_full


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name.removeprefix("model.sendmart.").removeprefix("seed.sendmart.") for name in names))


def _prepare(
    paths: DataPaths, ledger: Ledger, changes: list[Change], in_full: set[str], fingerprints: ModelFingerprints
) -> None:
    """Drops the tables that are built in full, and creates the views of the changes.

    dbt builds a missing table in full. The `*_this_run` rows of an unfinished build are kept for the next one.
    """
    is_all_in_full = in_full >= fingerprints.relations.keys()
    is_repeated = ledger.candidate() is None
    ledger.forget_candidate()
    ledger.forget_built_from(in_full)
    if is_all_in_full:
        remove_candidate(paths, ledger)
    paths.warehouse.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE}")
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{check_scope.SCHEMA} cascade")
        _drop(connection, {fingerprints.relations[name] for name in in_full})
        if not is_repeated:
            connection.execute(f"drop schema if exists {BUILD_DATABASE}.this_run cascade")
        change_feed.create_views(connection, BUILD_DATABASE, paths, [] if is_all_in_full else changes)


def _drop(connection: duckdb.DuckDBPyConnection, relations: set[tuple[str, str, str]]) -> None:
    for kind in ("view", "table"):
        existing = connection.execute(
            f"select database_name, schema_name, {kind}_name from duckdb_{kind}s()"
        ).fetchall()
        for database, schema, name in relations & set(existing):
            connection.execute(f'drop {kind} {database}.{schema}."{name}"')


def run_tests(settings: Settings, paths: DataPaths, candidate: Build) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate; returns their results by unique id. Failing rows are stored beside the models.

    Raises:
        CandidateDamaged: a file of the candidate is damaged.
    """
    command = ["test", "--exclude-resource-type", "unit_test", "--store-failures"]
    if spark.is_spark(settings):
        results = spark.run_dbt_on_build(settings, paths, candidate.build_id, [*command, *spark.WITHOUT_THIS_RUN])
    else:
        results = run_dbt(settings, paths, command)
    for result in results:
        if is_corruption_error(result.message or ""):
            raise CandidateDamaged(first_line(result.message))
    if spark.is_spark(settings):
        return {result.node.unique_id: _check_result(result, "Spark") for result in results}
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE} (read_only)")
        return {
            result.node.unique_id: _check_result(result, "warehouse/build.duckdb", connection) for result in results
        }


def expected_tests(settings: Settings, paths: DataPaths) -> set[str]:
    """The names of the dbt tests that every candidate must have run."""
    nodes = dbt_manifest(settings, paths)["nodes"]
    tests = [node for node in nodes.values() if node["resource_type"] == "test"]
    if spark.is_spark(settings):
        tests = [test for test in tests if "this_run" not in nodes.get(test.get("attached_node"), {}).get("tags", ())]
    return {test["name"] for test in tests}


def tested_models(settings: Settings, paths: DataPaths) -> dict[str, str]:
    """By dbt test, the model that it tests. A test between models has no entry."""
    return {
        node["name"]: node["attached_node"].rpartition(".")[2]
        for node in dbt_manifest(settings, paths)["nodes"].values()
        if node["resource_type"] == "test" and node.get("attached_node")
    }


def _new_build_id() -> str:
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _check_result(result: Any, location: str, connection: duckdb.DuckDBPyConnection | None = None) -> CheckResult:
    """The result of a dbt test. With a connection that sees the failing rows, its detail names some of them."""
    passed = result.status == "pass"
    detail = "" if passed else first_line(result.message)
    if not passed and result.failures:
        table = ".".join(str(result.node.relation_name).split(".")[-2:])
        described = describe_failing_rows(connection, str(result.node.relation_name)) if connection else ""
        detail = f"{result.failures} rows{': ' * bool(described)}{described}; to see them in {location}: from {table}"
    rule = Rule(result.node.description or result.node.name, passed, detail, failing_rows=result.failures)
    return CheckResult(result.node.name, result.node.config.severity.lower() == "error", passed, detail, (rule,))
