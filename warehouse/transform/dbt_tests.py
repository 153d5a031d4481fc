"""Runs the dbt tests of a candidate, and describes failing rows.

dbt compiles the SQL of the tests once for a project and its settings. A refresh runs this SQL itself: dbt takes many times as
long as DuckDB for a test that reads few rows. On Spark, dbt runs the tests.

Not here: the tests (`dbt_project/`), which rows they read (`check_scope`), what their results decide (`quality.gate`).
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

import duckdb

from models.check_results import MAX_EXAMPLES, CheckResult, Rule
from models.masking import sanitize
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, attached, enable_s3, is_corruption_error, literal, new_session
from warehouse.ledger import Build
from warehouse.storage import atomic_replace, read_json_object
from warehouse.transform import check_scope
from warehouse.transform.candidate import FAILING_ROWS, CandidateDamaged
from warehouse.transform.compiled_sql import inputs_digest
from warehouse.transform.dbt_runner import BuildFailed, dbt_manifest, first_line, run_dbt
from warehouse.transform.spark.builds import WITHOUT_THIS_RUN, SparkBuild, is_spark

_ROWS_TO_CHECK = re.compile(r'/\* rows to check \*/ ("\w+"\."\w+"\."\w+")')
"""How compiled SQL marks the relation that a generic test reads (`dbt_project/macros/get_where_subquery.sql`)."""

_KEY_COLUMNS = (
    *(
        "mart",
        "campaign_id",
        "message_id",
        "order_id",
        "click_id",
        "model",
        "window_hours",
        "hard_bounces",
        "from_minutes",
    ),
    *("currency", "log", "kind", "provider", "provider_status", "country", "day", "first_day", "figure", "age_days"),
)
"""The columns that name a row, as far as a table has them. Contacts and mobile numbers are never named."""

_LONGEST_VALUE = 80


def run_tests(settings: Settings, paths: DataPaths, candidate: Build) -> dict[str, CheckResult]:
    """Runs the dbt tests; results are by unique id, failing rows are stored beside the models.

    Raises CandidateDamaged, or BuildFailed if dbt cannot compile the tests.
    """
    if is_spark(settings):
        return _run_on_spark(settings, paths, candidate)
    manifest = dbt_manifest(settings, paths)
    compiled = _compiled_tests(settings, paths, manifest)
    with attached(read_only=False, build=paths.build, candidate=paths.candidate) as connection:
        apply_limits(connection, settings)
        enable_s3(connection, paths.lake)
        connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false; use build")
        connection.execute(f"drop schema if exists {FAILING_ROWS} cascade; create schema {FAILING_ROWS}")
        changed_rows = check_scope.rows_to_check(connection)
        if changed_rows:
            check_scope.limit_memory(connection, settings)
        copies = {
            node["relation_name"]: changed_rows[node["alias"]]
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model" and node["alias"] in changed_rows
        }

        def on_rows_to_check(sql: str) -> str:
            return _ROWS_TO_CHECK.sub(lambda relation: copies.get(relation[1], relation[1]), sql)

        return {
            name: _run_test(connection, manifest["nodes"][name], on_rows_to_check(sql))
            for name, sql in compiled.items()
        }


def _run_test(connection: duckdb.DuckDBPyConnection, test: Mapping[str, Any], sql: str) -> CheckResult:
    """Runs a test as dbt's materialization `test` does, but stores no empty tables."""
    config = test["config"]
    relation = f'"build"."{FAILING_ROWS}"."{test["alias"]}"'
    rows = f"({sql} limit {config['limit']})" if config.get("limit") is not None else f"({sql})"
    failures = config["fail_calc"]
    try:
        counted = connection.execute(
            f"select {failures}, {failures} {config['warn_if']}, {failures} {config['error_if']} from {rows} as failing_rows"
        ).fetchone()
        assert counted is not None  # an aggregate has a row
        count, warns, fails = counted
        is_blocking = config["severity"].lower() == "error"
        if not (warns or (is_blocking and fails)):
            return _check_result(test, is_passed=True)
        connection.execute(f"create table {relation} as from {rows}")
        examples = describe_failing_rows(connection, relation)
    except duckdb.Error as error:
        if is_corruption_error(str(error)):
            raise CandidateDamaged(first_line(str(error))) from error
        return _check_result(test, is_passed=False, message=str(error))
    return _failed(test, count, examples, "warehouse/build.duckdb", relation)


def _run_on_spark(settings: Settings, paths: DataPaths, candidate: Build) -> dict[str, CheckResult]:
    """Runs all tests, then those with failing rows again to store the rows: to store tables of all takes twice the time."""
    build = SparkBuild(settings, paths, candidate.build_id)
    command = ("test", "--exclude-resource-type", "unit_test", *WITHOUT_THIS_RUN)
    results = build.run_dbt(*command)
    if failing := [result.node.name for result in results if result.failures]:
        # Spark creates no table in a folder that holds files.
        shutil.rmtree(build.failing_rows, ignore_errors=True)
        build.run_dbt(*command, "--store-failures", "--select", *failing)
    return {result.node.unique_id: _result_on_spark(build, result) for result in results}


def _result_on_spark(build: SparkBuild, result: Any) -> CheckResult:
    node = result.node
    test = {"name": node.name, "description": node.description, "config": {"severity": node.config.severity}}
    if not result.failures:
        return _check_result(test, is_passed=result.status == "pass", message=result.message)
    with new_session() as connection:
        files = literal(f"{build.failing_rows / node.alias}/*.parquet")
        try:
            examples = describe_failing_rows(connection, f"(from read_parquet({files}))")
        except duckdb.Error as error:
            raise BuildFailed(f"cannot read the failing rows of {node.name}: {first_line(str(error))}") from error
    return _failed(test, result.failures, examples, "Spark", f"{node.schema}.{node.alias}")


def _failed(test: Mapping[str, Any], count: int, examples: str, location: str, relation: str) -> CheckResult:
    detail = (
        f"{count} rows{f': {examples}' if examples else ''}; to see them in {location}:"
        f" from {'.'.join(relation.split('.')[-2:])}"
    )
    return _check_result(test, is_passed=False, detail=detail, failing_rows=count)


def _check_result(
    test: Mapping[str, Any], *, is_passed: bool, message: str | None = None, detail: str = "", failing_rows: int = 0
) -> CheckResult:
    detail = "" if is_passed else detail or first_line(message)
    rule = Rule(test["description"] or test["name"], is_passed, detail, failing_rows=failing_rows)
    return CheckResult(test["name"], test["config"]["severity"].lower() == "error", is_passed, detail, (rule,))


def expected_tests(settings: Settings, paths: DataPaths) -> set[str]:
    """The names of the dbt tests that every candidate must have run."""
    nodes = dbt_manifest(settings, paths)["nodes"]
    is_on_spark = is_spark(settings)
    return {
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "test"
        and not (is_on_spark and "this_run" in nodes.get(node.get("attached_node"), {}).get("tags", ()))
    }


def tested_models(settings: Settings, paths: DataPaths) -> dict[str, str]:
    """By dbt test, the model that it tests. A test between models has no entry."""
    return {
        node["name"]: node["attached_node"].rpartition(".")[2]
        for node in dbt_manifest(settings, paths)["nodes"].values()
        if node["resource_type"] == "test" and node.get("attached_node")
    }


# --- the SQL of the tests


def _compiled_tests(settings: Settings, paths: DataPaths, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The SQL of the tests by unique id. dbt compiles it if the project or a setting has changed."""
    tests = {name for name, node in manifest["nodes"].items() if node["resource_type"] == "test"}
    digest = inputs_digest(settings, paths)
    try:
        record = read_json_object(paths.compiled_tests)
    except (FileNotFoundError, ValueError):
        record = {}
    compiled: dict[str, str] = record.get("tests", {})
    if record.get("inputs_digest") != digest or compiled.keys() != tests:
        compiled = _compile(settings, paths)
        if missing := sorted(tests - compiled.keys()):
            raise BuildFailed(f"dbt compile: {missing[0]} was not compiled")
        _write(paths, {"inputs_digest": digest, "tests": compiled})
    return compiled


def _compile(settings: Settings, paths: DataPaths) -> dict[str, str]:
    results = run_dbt(settings, paths, ["compile", "--select", "resource_type:test"])
    if failed := [result for result in results if result.status != "success"]:
        raise BuildFailed(f"dbt compile: {failed[0].node.name}: {first_line(failed[0].message)}")
    return {result.node.unique_id: result.node.compiled_code for result in results}


def _write(paths: DataPaths, record: Mapping[str, Any]) -> None:
    temp_path = paths.temp_path(paths.compiled_tests, by=str(os.getpid()))
    temp_path.write_text(json.dumps(record), encoding="utf-8")
    atomic_replace(temp_path, paths.compiled_tests)


# --- failing rows


def describe_failing_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The problems of failing rows (column `problem`, separated by `; `) with their counts, then keys of some rows."""
    columns = [name for name, *_ in connection.execute(f"describe {relation}").fetchall()]
    parts = []
    if "problem" in columns:
        problems = connection.execute(
            f"select problem, count(*) from (select unnest(string_split(problem, '; ')) as problem from {relation})"
            f" group by problem order by count(*) desc, problem limit {MAX_EXAMPLES}"
        ).fetchall()
        parts += [f"{problem} ({count})" for problem, count in problems]
    keys = [name for name in _KEY_COLUMNS if name in columns]
    if keys:
        rows = connection.execute(
            f"select distinct {', '.join(keys)} from {relation} order by all limit {MAX_EXAMPLES}"
        )
        row_keys = [
            ", ".join(
                f"{name} {short_value(value)}" for name, value in zip(keys, row, strict=True) if value is not None
            )
            for row in rows.fetchall()
        ]
        parts += [row_key for row_key in row_keys if row_key]
    return "; ".join(parts)


def short_value(value: object) -> str:
    """A value of a row on one line, without mobile numbers, cut after 80 characters."""
    text = sanitize(" ".join(str(value).split()))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
