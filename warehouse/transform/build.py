"""The build: dbt computes the marts of a candidate from the lake.

`build.duckdb` holds staging, `*_this_run` and intermediate models and the rows that failed a test, `candidate.duckdb` the
marts. A build applies the open changes of the change feed. Models whose code or settings have changed are built in full.

Not here: the models (`dbt_project/`), how dbt is run (`dbt_runner`), the tests (`dbt_tests`), the release gate (`quality.gate`).
"""

import secrets
import time
from typing import Any

import duckdb

from models.masking import masking_logger, sanitize
from warehouse.config import DataPaths, Settings, sendmart_version
from warehouse.duckdb_tools import attached, corruption_reason, is_corruption_error
from warehouse.lake import change_feed, integrity
from warehouse.lake.origins import origin_of_cost, origin_of_order
from warehouse.ledger import Build, Change, Ledger, now
from warehouse.transform import check_scope
from warehouse.transform.candidate import (
    CandidateDamaged,
    identity_mismatch,
    incomplete_reason,
    remove_candidate,
    write_identity,
)
from warehouse.transform.compiled_sql import record_column_lineage, record_full_build_sql
from warehouse.transform.dbt_runner import BuildFailed, dbt_manifest, first_line, json_digest, project_digest, run_dbt
from warehouse.transform.dbt_tests import short_value
from warehouse.transform.fingerprints import ModelFingerprints
from warehouse.transform.spark.builds import SparkBuild, is_spark

log = masking_logger("sendmart.build")


def inputs(settings: Settings, ledger: Ledger) -> str:
    """A fingerprint of all that a build depends on: loaded files, version, engine, settings of figures, dbt project."""
    files = [ledger.files_fingerprint(), ledger.data_until()]
    return json_digest([*files, sendmart_version(), settings.engine, settings.figure_settings(), project_digest()])


def is_current(settings: Settings, paths: DataPaths, ledger: Ledger) -> bool:
    """Whether a build now would give the same candidate."""
    build = ledger.candidate()
    if build is None or not (paths.build.exists() and paths.candidate.exists()) or ledger.open_changes():
        return False
    if identity_mismatch(paths, ledger, checks_damage=True):
        return False
    if is_spark(settings) and not SparkBuild(settings, paths, build.build_id).is_complete:
        return False
    return build.inputs == inputs(settings, ledger)


def _damage(paths: DataPaths) -> str | None:
    return corruption_reason(paths.build) or corruption_reason(paths.candidate)


def run_models(
    settings: Settings, paths: DataPaths, ledger: Ledger, *, full_refresh: bool = False
) -> tuple[Build, dict[str, float]]:
    """Builds the candidate, incrementally if possible, and records it. Returns it, and the seconds by unique id of a model.

    Verifies the sizes of the lake's files first, and their checksums before a full build.

    Raises BuildFailed, CandidateDamaged, LakeDamaged.
    """
    if is_spark(settings):
        return _run_on_spark(settings, paths, ledger)
    build_inputs, changes = inputs(settings, ledger), ledger.open_changes()
    if ledger.built_from() and (reason := _damage(paths)):
        log.warning("%s: the build is removed, and everything is built in full from the lake", reason)
        remove_candidate(paths, ledger)
    manifest = dbt_manifest(settings, paths)
    fingerprints = ModelFingerprints.of(manifest, settings.figure_settings(), sendmart_version())
    in_full = set(fingerprints.relations) if full_refresh else _models_in_full(fingerprints, paths, ledger, changes)
    is_all_in_full = in_full >= fingerprints.relations.keys()
    # A view of the changed files leaves out a file that is gone: its rows would be missing without an error.
    _verify_lake(paths, ledger, verify_checksums=is_all_in_full)
    # If the checks have changed, they check all rows: the build then has no predecessor.
    is_incremental = not in_full and not fingerprints.changed_since(ledger.built_from())
    changes_to_apply = [] if is_all_in_full else changes
    _prepare(paths, ledger, changes_to_apply, in_full, fingerprints)
    results = run_dbt(settings, paths, ["build", *_selection(fingerprints, in_full)])
    if (message := _failures(results)) and is_corruption_error(message):
        _verify_lake(paths, ledger)
        raise CandidateDamaged(message)
    check_built(paths, results)
    if reason := incomplete_reason(paths, [name.rpartition(".")[2] for name in fingerprints.relations]):
        raise CandidateDamaged(reason)
    build = Build(new_build_id(), build_inputs, ledger.data_until(), now())
    predecessor = ledger.last_build() if is_incremental else None
    write_identity(paths, build)
    ledger.record_candidate(build, changes, fingerprints.by_name, predecessor.build_id if predecessor else None)
    with attached(read_only=False, build=paths.build) as connection:
        change_feed.create_views_of_added_rows(connection, "build", paths, changes_to_apply)
    change_feed.prune(paths, ledger)
    if is_all_in_full:
        record_full_build_sql(settings, paths, results)
    models = [result.node for result in results if result.node.unique_id in in_full - fingerprints.seeds]
    record_column_lineage(paths, manifest, {node.unique_id: node.compiled_code for node in models})
    return build, _seconds(results)


def _run_on_spark(settings: Settings, paths: DataPaths, ledger: Ledger) -> tuple[Build, dict[str, float]]:
    """Builds every model in full on Spark. A later build on DuckDB is in full, too."""
    build_inputs, changes = inputs(settings, ledger), ledger.open_changes()
    _verify_lake(paths, ledger)
    remove_candidate(paths, ledger)
    build = Build(new_build_id(), build_inputs, ledger.data_until(), now())
    spark_build = SparkBuild(settings, paths, build.build_id)
    results = spark_build.build_models(ledger)
    spark_build.create_duckdb_views()
    check_built(paths, results)
    write_identity(paths, build)
    ledger.record_candidate(build, changes, {}, None)
    change_feed.prune(paths, ledger)
    return build, _seconds(results)


def _verify_lake(paths: DataPaths, ledger: Ledger, *, verify_checksums: bool = True) -> None:
    started = time.perf_counter()
    if damaged := integrity.find_damaged(paths, ledger, verify_checksums=verify_checksums):
        raise integrity.LakeDamaged(damaged)
    if verify_checksums:
        log.info("the checksums of the lake were verified in %.1f s", time.perf_counter() - started)


def check_built(paths: DataPaths, results: list[Any]) -> None:
    """Raises BuildFailed, or SumTooLarge, if dbt has not built every model."""
    if message := _failures(results):
        raise _too_large_sum(paths) or BuildFailed(message)


def _failures(results: list[Any]) -> str:
    """A message that names the models that were not built, with dbt's messages; empty if all were."""
    failed = [result for result in results if result.status not in ("success", "pass")]
    messages = "; ".join(f"{result.node.name}: {first_line(result.message)}" for result in failed if result.message)
    return f"{len(failed)} of {len(results)} models were not built: {messages}" if failed else ""


class SumTooLarge(BuildFailed):
    """The revenue or the cost of a campaign does not fit its type."""


def _too_large_sum(paths: DataPaths) -> SumTooLarge | None:
    """The error of a build that failed for the revenue or cost of a campaign; None if it failed for another reason."""
    with attached(build=paths.build) as connection:
        return too_large_sum(connection, paths) or too_large_cost(connection, paths)


def too_large_sum(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> SumTooLarge | None:
    """The same for a connection with a database `build`."""
    try:
        sums = connection.execute(
            "select campaign_id, attribution, sum(revenue)::varchar as revenue, max_by(order_id, revenue)"
            " from build.intermediate.int_orders_attributed group by campaign_id, attribution"
            " having try_cast(sum(revenue) as decimal(18,2)) is null and sum(revenue) is not null order by all limit 1"
        ).fetchall()
    except duckdb.CatalogException:  # the model that failed comes before
        return None
    for campaign_id, attribution, revenue, order_id in sums:
        return SumTooLarge(
            f"campaign {short_value(campaign_id)}: the revenue of its {attribution} orders, {revenue}, does not fit"
            f" decimal(18,2); its largest order is {short_value(order_id)}"
            f" ({sanitize(origin_of_order(connection, paths, order_id))})"
        )
    return None


def too_large_cost(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> SumTooLarge | None:
    """The same for the cost of a campaign."""
    try:
        sums = connection.execute(
            "select campaign_id, sum(cost)::varchar, max_by(message_id, cost)"
            " from build.intermediate.int_messages_enriched group by campaign_id"
            " having try_cast(sum(cost) as decimal(18,6)) is null and sum(cost) is not null order by all limit 1"
        ).fetchall()
    except duckdb.CatalogException:  # the model that failed comes before, or there are no insights
        return None
    for campaign_id, cost, message_id in sums:
        return SumTooLarge(
            f"campaign {short_value(campaign_id)}: the cost of its messages, {cost}, does not fit decimal(18,6); its dearest"
            f" message is {short_value(message_id)} ({sanitize(origin_of_cost(connection, paths, message_id))})"
        )
    return None


def _seconds(results: list[Any]) -> dict[str, float]:
    return {result.node.unique_id: round(result.execution_time, 3) for result in results}


def _selection(fingerprints: ModelFingerprints, in_full: set[str]) -> list[str]:
    selection = ["--resource-type", "seed", "--resource-type", "model"]
    unchanged_seeds = [name.rpartition(".")[2] for name in sorted(fingerprints.seeds - in_full)]
    return [*selection, "--exclude", *unchanged_seeds] if unchanged_seeds else selection


def _models_in_full(
    fingerprints: ModelFingerprints, paths: DataPaths, ledger: Ledger, changes: list[Change]
) -> set[str]:
    """The models and seeds that must be built in full, because an incremental build of them would not be exact."""
    built_from = ledger.built_from()
    if not (built_from and paths.build.exists() and paths.candidate.exists()):
        log.info("there is no earlier build: everything is built in full")
    elif not change_feed.are_complete(paths, changes):
        log.warning("replaced rows of the lake are missing from %s: everything is built in full", paths.changes)
    elif removed := built_from.keys() - fingerprints.by_name.keys():
        log.info("removed: %s; everything is built in full", _listed(removed))
    elif reason := identity_mismatch(paths, ledger):
        log.warning("%s: everything is built in full", reason)
    else:
        changed = fingerprints.changed_since(built_from)
        in_full = fingerprints.downstream_of(changed)
        if in_full:
            count = len(fingerprints.relations)
            log.info("changed: %s; %d of %d models are built in full", _listed(changed), len(in_full), count)
        return in_full
    return set(fingerprints.relations)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name.removeprefix("model.sendmart.").removeprefix("seed.sendmart.") for name in names))


def _prepare(
    paths: DataPaths, ledger: Ledger, changes: list[Change], in_full: set[str], fingerprints: ModelFingerprints
) -> None:
    """Drops the tables that dbt must build in full, creates the views of the changes; keeps rows of an unfinished run."""
    is_repeated = ledger.candidate() is None
    ledger.forget_candidate()
    ledger.forget_built_from(in_full)
    if in_full >= fingerprints.relations.keys():
        remove_candidate(paths, ledger)
    paths.warehouse.mkdir(parents=True, exist_ok=True)
    with attached(read_only=False, build=paths.build, candidate=paths.candidate) as connection:
        connection.execute(f"drop schema if exists build.{check_scope.SCHEMA} cascade")
        _drop(connection, {fingerprints.relations[name] for name in in_full})
        if not is_repeated:
            connection.execute("drop schema if exists build.this_run cascade")
        change_feed.create_views(connection, "build", paths, changes)


def _drop(connection: duckdb.DuckDBPyConnection, relations: set[tuple[str, str, str]]) -> None:
    existing = connection.execute(
        "select 'view', database_name, schema_name, view_name from duckdb_views()"
        " union all select 'table', database_name, schema_name, table_name from duckdb_tables()"
    ).fetchall()
    for kind, database, schema, name in existing:
        if (database, schema, name) in relations:
            connection.execute(f'drop {kind} {database}.{schema}."{name}"')


def new_build_id() -> str:
    """A new build id. It begins with the time of the build."""
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
