"""The build: dbt computes the marts of a candidate from the lake and tests them.

A candidate is two DuckDB files: `build.duckdb` for staging, `*_this_run` and intermediate models and the rows that failed a
test, `candidate.duckdb` for the marts. A build brings them up to date with the open changes of the change feed, and
builds in full what came from other code or settings; nobody but the audit and a curious person reads them. What the
candidate was made of is noted when, and only when, every model was built.

Not here: the models (`dbt_project/`), how dbt is run (`warehouse.transform.dbt_runner`), the release gate
(`quality.gate`), publication (`warehouse.publish`).
"""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import duckdb

from models.check_results import CheckResult, Rule
from models.masking import masking_logger
from warehouse.foundation import (
    Build,
    Change,
    DataPaths,
    Ledger,
    Settings,
    corruption_reason,
    fetch_value,
    is_corruption_error,
    literal,
    now,
    preview_rows,
    remove,
)
from warehouse.lake import change_feed, integrity
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
from warehouse.transform.fingerprints import ModelFingerprints

CANDIDATE_SCHEMA = f"{CANDIDATE_DATABASE}.marts"
_STORED = (
    "select database_name, schema_name, table_name from duckdb_tables() union all"
    f" select database_name, schema_name, view_name from duckdb_views() where {spark.VIEW_ON_PARQUET}"
)
"""Tables, and views on what Spark wrote; a view of a model computes its rows each time."""

log = masking_logger("sendmart.build")


class CandidateDamaged(Exception):
    """A file of the candidate is damaged, and that was found only when it was read."""


@dataclass(frozen=True)
class BuiltNode:
    """A model or seed that was built."""

    unique_id: str
    name: str
    seconds: float


def sendmart_version() -> str:
    return version("sendmart")


def inputs(settings: Settings, ledger: Ledger) -> str:
    """A fingerprint of all that a build depends on: files, settings that alter figures, models, vocabulary, version."""
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
    """Whether the candidate at hand is what a build would give now."""
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
    settings: Settings, paths: DataPaths, ledger: Ledger, *, full_refresh: bool = False
) -> tuple[Build, list[BuiltNode]]:
    """Brings the candidate up to date with the lake and notes it; with `full_refresh`, builds it in full.

    Raises:
        BuildFailed: with the models that failed and dbt's words.
    """
    if spark.is_spark(settings):
        return _run_on_spark(settings, paths, ledger)
    made_of = inputs(settings, ledger)
    used = ledger.open_changes()
    _remove_damaged(paths, ledger)
    manifest = dbt_manifest(settings, paths)
    origins = ModelFingerprints.of(manifest, settings, sendmart_version())
    stale = set(origins.places) if full_refresh else _stale(origins, paths, ledger, used)
    if stale >= origins.places.keys():
        _hold_lake_to_checksums(paths, ledger)
    # With other checks, too, all rows are to be looked at.
    is_all_as_before = not stale and not origins.changed_since(ledger.built_from())
    _prepare(paths, ledger, used, stale, origins)
    results = run_dbt(settings, paths, ["build", *_selection(origins, stale)])
    if (words := _failures(results)) and is_corruption_error(words):
        _hold_lake_to_checksums(paths, ledger)
        raise CandidateDamaged(words)
    if words:
        raise BuildFailed(words)
    build = Build(_new_build_id(), made_of, ledger.data_until(), now())
    last_build = ledger.last_build() if is_all_as_before else None
    write_identity(paths, build)
    ledger.record_candidate(build, used, origins.fingerprints, last_build.build_id if last_build else None)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        change_feed.create_views_of_added_rows(
            connection, BUILD_DATABASE, paths, [] if stale >= origins.places.keys() else used
        )
    change_feed.prune(paths, ledger)
    if stale >= origins.places.keys():
        record_full_build_sql(settings, paths, results)
    in_full = [result.node for result in results if result.node.unique_id in stale - origins.standing]
    record_column_lineage(paths, manifest, {node.unique_id: node.compiled_code for node in in_full})
    return build, _built(results)


def _run_on_spark(settings: Settings, paths: DataPaths, ledger: Ledger) -> tuple[Build, list[BuiltNode]]:
    """Computes all of a new build on Spark. What DuckDB built before is no base for another: going back is in full."""
    made_of = inputs(settings, ledger)
    used = ledger.open_changes()
    _hold_lake_to_checksums(paths, ledger)
    remove_candidate(paths, ledger)
    build = Build(_new_build_id(), made_of, ledger.data_until(), now())
    results = spark.build_models(settings, paths, ledger, build.build_id)
    if words := _failures(results):
        raise BuildFailed(words)
    spark.create_duckdb_views(settings, paths, build.build_id)
    write_identity(paths, build)
    ledger.record_candidate(build, used, {}, None)
    change_feed.prune(paths, ledger)
    return build, _built(results)


def _failures(results: list[Any]) -> str:
    """Which models were not built, and why; nothing where all were."""
    failed = [result for result in results if result.status not in ("success", "pass")]
    words = "; ".join(f"{result.node.name}: {first_line(result.message)}" for result in failed if result.message)
    return f"{len(failed)} of {len(results)} models were not built: {words}" if failed else ""


def _built(results: list[Any]) -> list[BuiltNode]:
    return [BuiltNode(result.node.unique_id, result.node.name, round(result.execution_time, 3)) for result in results]


def _hold_lake_to_checksums(paths: DataPaths, ledger: Ledger) -> None:
    """A build in full reads every file of the lake: none may hold anything but what was written."""
    started = time.perf_counter()
    if found := integrity.find_damaged(paths, ledger, verify_checksums=True):
        raise integrity.LakeDamaged(found)
    log.info("checksums of the lake hold; looked at in %.1f s", time.perf_counter() - started)


def _remove_damaged(paths: DataPaths, ledger: Ledger) -> None:
    """Removes the candidate's files where one of them cannot be opened: everything is built from the lake."""
    if ledger.built_from() and (fault := corruption_reason(paths.build) or corruption_reason(paths.candidate)):
        log.warning("%s: what is built is removed, and built in full from the lake", fault)
        remove_candidate(paths, ledger)


def remove_candidate(paths: DataPaths, ledger: Ledger) -> None:
    """Removes the candidate's files; the next build is in full."""
    ledger.forget_candidate()
    ledger.forget_built_from(ledger.built_from())
    for file in (paths.build, paths.candidate):
        remove(file)
        remove(file.with_name(f"{file.name}.wal"))


def _selection(origins: ModelFingerprints, stale: set[str]) -> list[str]:
    """What dbt is to build: all models; the vocabulary where it is no longer what it was."""
    standing = sorted(origins.standing - stale)
    selection = ["--resource-type", "seed", "--resource-type", "model"]
    return [*selection, "--exclude", *(name.rpartition(".")[2] for name in standing)] if standing else selection


def _stale(origins: ModelFingerprints, paths: DataPaths, ledger: Ledger, used: list[Change]) -> set[str]:
    """The models whose tables cannot be brought up to date: what they were made from is not what there is now."""
    built_from = ledger.built_from()
    if not (built_from and paths.build.exists() and paths.candidate.exists()):
        log.info("there is no build to go on from: everything is built in full")
        return set(origins.places)
    if reason := identity_mismatch(paths, ledger):
        log.warning("%s: everything is built in full", reason)
        return set(origins.places)
    if not change_feed.are_complete(paths, used):
        log.warning("what files of the lake held before is gone from %s: everything is built in full", paths.changes)
        return set(origins.places)
    if gone := built_from.keys() - origins.fingerprints.keys():
        log.info("no longer there: %s; everything is built in full", _listed(gone))
        return set(origins.places)
    changed = origins.changed_since(built_from)
    stale = origins.models_from(changed)
    if stale:
        log.info("changed: %s; %d of %d models are built in full", _listed(changed), len(stale), len(origins.places))
    return stale


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name.removeprefix("model.sendmart.").removeprefix("seed.sendmart.") for name in names))


def _prepare(paths: DataPaths, ledger: Ledger, used: list[Change], stale: set[str], origins: ModelFingerprints) -> None:
    """Leaves in the candidate's files what the build goes on from, and shows it the changes.

    A table that is gone is built in full. The `*_this_run` rows of an unfinished build are kept for the next one.
    """
    is_full = stale >= origins.places.keys()
    is_repeated = ledger.candidate() is None
    ledger.forget_candidate()
    ledger.forget_built_from(stale)
    if is_full:
        remove_candidate(paths, ledger)
    paths.warehouse.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE}")
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{check_scope.SCHEMA} cascade")
        _drop(connection, {origins.places[name] for name in stale})
        if not is_repeated:
            connection.execute(f"drop schema if exists {BUILD_DATABASE}.this_run cascade")
        change_feed.create_views(connection, BUILD_DATABASE, paths, [] if is_full else used)


def _drop(connection: duckdb.DuckDBPyConnection, places: set[tuple[str, str, str]]) -> None:
    for kind in ("view", "table"):
        found = connection.execute(f"select database_name, schema_name, {kind}_name from duckdb_{kind}s()").fetchall()
        for database, schema, name in places & set(found):
            connection.execute(f'drop {kind} {database}.{schema}."{name}"')


def run_tests(settings: Settings, paths: DataPaths, candidate: Build) -> dict[str, CheckResult]:
    """Runs the dbt tests on the candidate; results by the tests' unique ids. Failing rows are kept beside its models."""
    command = ["test", "--exclude-resource-type", "unit_test", "--store-failures"]
    if spark.is_spark(settings):
        results = spark.run_dbt_on_build(settings, paths, candidate.build_id, [*command, *spark.WITHOUT_THIS_RUN])
    else:
        results = run_dbt(settings, paths, command)
    for result in results:
        if is_corruption_error(result.message or ""):
            raise CandidateDamaged(first_line(result.message))
    where = "Spark" if spark.is_spark(settings) else "warehouse/build.duckdb"
    return {result.node.unique_id: _check_result(result, where) for result in results}


def expected_tests(settings: Settings, paths: DataPaths) -> set[str]:
    """The names of the dbt tests that a candidate must have been held to."""
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


@dataclass(frozen=True)
class BuiltTable:
    """A table or view of the build: its columns with their types; of a table, how many rows it has, and, where only rows
    that the build touched are checked, how many it touched.
    """

    types: dict[str, str]
    rows: int | None = None
    touched: int | None = None


def built_tables(paths: DataPaths) -> dict[str, BuiltTable]:
    """What dbt built, by the names of its models and seeds."""
    with duckdb.connect() as connection:
        attach_candidate(connection, paths)
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE} (read_only)")
        types: dict[str, dict[str, str]] = {}
        for table, column, data_type in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal"
            " and schema_name not in (?, ?) order by table_oid, column_index",
            [check_scope.SCHEMA, change_feed.SCHEMA],
        ).fetchall():
            types.setdefault(table, {})[column] = data_type
        rows: dict[str, int] = {}
        touched: dict[str, int] = {}
        for database, schema, table in connection.execute(
            f"from ({_STORED}) where schema_name <> ?", [change_feed.SCHEMA]
        ).fetchall():
            count = fetch_value(connection, f'select count(*) from {database}.{schema}."{table}"')
            (touched if schema == check_scope.SCHEMA else rows)[table] = count
        return {table: BuiltTable(of, rows.get(table), touched.get(table)) for table, of in types.items()}


@dataclass(frozen=True)
class BuiltMart:
    """A mart of the candidate: how many rows it has, and a few of them as Markdown."""

    rows: int
    preview: str


def built_marts(paths: DataPaths) -> dict[str, BuiltMart]:
    """What the candidate holds, by mart."""
    with duckdb.connect() as connection:
        attach_candidate(connection, paths)
        marts = connection.execute(
            f"select table_name from ({_STORED}) where database_name = ? and schema_name = 'marts' order by 1",
            [CANDIDATE_DATABASE],
        ).fetchall()
        return {
            mart: BuiltMart(
                fetch_value(connection, f'select count(*) from {CANDIDATE_SCHEMA}."{mart}"'),
                preview_rows(connection, f'{CANDIDATE_SCHEMA}."{mart}"'),
            )
            for (mart,) in marts
        }


def attach_candidate(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the candidate's marts, as `candidate.marts`."""
    connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE} (read_only)")


def _new_build_id() -> str:
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _check_result(result: Any, where: str) -> CheckResult:
    passed = result.status == "pass"
    detail = "" if passed else first_line(result.message)
    if not passed and result.failures:
        table = ".".join(str(result.node.relation_name).split(".")[-2:])
        detail = f"{result.failures} rows, to be seen in {where}: from {table}"
    rule = Rule(result.node.description or result.node.name, passed, detail, failing_rows=result.failures)
    return CheckResult(result.node.name, result.node.config.severity.lower() == "error", passed, detail, (rule,))
