"""The SQL of every model as a full build runs it: to run the models on other rows than dbt does, and for column lineage. If
code or settings have changed since, or the last full build ran on Spark, dbt compiles the models again in a temporary folder.

The lineage of a model is recorded when it is built in full: the SQL of an incremental build reads `*_this_run` rows instead.
Only values count, not conditions: a count of rows or a constant has no source column.

Not here: what runs this SQL (`warehouse.explain.id_build`), how lineage is shown (`orchestration.metadata`).
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from models.masking import masking_logger
from warehouse.config import DataPaths, Engine, Settings
from warehouse.duckdb_tools import literal
from warehouse.storage import atomic_replace, read_json_object
from warehouse.transform.dbt_runner import DBT_PROJECT, BuildFailed, first_line, json_digest, project_digest, run_dbt

Lineage = dict[str, list[tuple[str, str]]]
"""For each column, its source columns as pairs: dbt's id of the model, seed or source, and the name of the column."""

_LINEAGES = TypeAdapter(dict[str, Lineage])

_DIALECT = "duckdb"

log = masking_logger("sendmart.build")


@dataclass(frozen=True)
class CompiledModel:
    """A model or seed: its relation, the query that computes it in full, the names of the models that it reads."""

    name: str
    database: str
    schema: str
    sql: str
    parents: list[str]
    meta: dict[str, Any]

    @property
    def relation(self) -> str:
        return f'{self.database}.{self.schema}."{self.name}"'


def full_build_sql(settings: Settings, paths: DataPaths) -> dict[str, CompiledModel]:
    """The models and seeds by name, each after its parents, without `*_this_run`. Raises BuildFailed if dbt cannot compile."""
    try:
        record = read_json_object(paths.compiled_sql)
    except (FileNotFoundError, ValueError):
        record = {}
    if record.get("inputs_digest") != inputs_digest(settings, paths):
        record = _record(settings, paths, _compile(settings, paths))
        # Whoever may only read the data folder compiles each time.
        with suppress(OSError):
            _write(paths, record)
    return {model["name"]: CompiledModel(**model) for model in record["models"]}


def record_full_build_sql(settings: Settings, paths: DataPaths, results: Iterable[Any]) -> None:
    """Writes the SQL of a full build, given dbt's results for its models and seeds in build order."""
    _write(paths, _record(settings, paths, results))


def _record(settings: Settings, paths: DataPaths, results: Iterable[Any]) -> dict[str, Any]:
    nodes = {result.node.unique_id: result.node for result in results if result.node.schema != "this_run"}
    models = [
        {
            "name": node.name,
            "database": node.database,
            "schema": node.schema,
            "sql": node.compiled_code if node.resource_type == "model" else _seed_query(node),
            "parents": [nodes[parent].name for parent in node.depends_on_nodes if parent in nodes],
            "meta": dict(node.config.meta),
        }
        for node in nodes.values()
    ]
    return {"inputs_digest": inputs_digest(settings, paths), "models": models}


def _write(paths: DataPaths, record: dict[str, Any]) -> None:
    # Two commands may do this at the same time.
    temp_path = paths.temp_path(paths.compiled_sql, by=str(os.getpid()))
    temp_path.parent.mkdir(parents=True, exist_ok=True)
    temp_path.write_text(json.dumps(record), encoding="utf-8")
    atomic_replace(temp_path, paths.compiled_sql)


def _compile(settings: Settings, paths: DataPaths) -> list[Any]:
    duckdb_settings = settings.model_copy(update={"engine": Engine.DUCKDB})
    with tempfile.TemporaryDirectory(prefix="sendmart-compile-") as folder:
        # dbt opens the files of its target to see what is built: here nothing, so that every model compiles in full.
        empty = DataPaths(Path(folder), lake_override=paths.lake)
        empty.warehouse.mkdir()
        if settings.insights:  # the SQL of these models holds values of seeds
            run_dbt(duckdb_settings, empty, ["seed"])
        command = ["compile", "--full-refresh", "--select", "resource_type:model", "resource_type:seed"]
        without = ("--exclude", "tag:this_run", "--indirect-selection", "empty")  # the latter: no tests
        results = run_dbt(duckdb_settings, empty, [*command, *without])
    if failed := [result for result in results if result.status != "success"]:
        raise BuildFailed(f"dbt compile: {failed[0].node.name}: {first_line(failed[0].message)}")
    return results


def _seed_query(node: Any) -> str:
    file = literal(DBT_PROJECT / node.original_file_path)
    return f"select * from read_csv({file}, header = true, all_varchar = true, nullstr = '')"


def inputs_digest(settings: Settings, paths: DataPaths) -> str:
    """A digest of what compiled SQL depends on: the project, the lake, the settings of figures."""
    return json_digest([str(DBT_PROJECT), str(paths.lake), settings.figure_settings(), project_digest()])


# --- column lineage


def record_column_lineage(paths: DataPaths, manifest: Mapping[str, Any], compiled: Mapping[str, str]) -> None:
    """Writes the lineage of models, given the SQL that built each in full; removes models that no longer exist."""
    recorded = {name: lineage for name, lineage in column_lineage(paths).items() if name in manifest["nodes"]}
    for name, sql in compiled.items():
        if manifest["nodes"][name]["schema"] != "this_run":
            recorded[name] = _lineage_of(manifest, name, sql)
    # Not synced: a lineage that is lost in a power cut is read as empty.
    temp_path = paths.temp_path(paths.column_lineage)
    temp_path.write_text(json.dumps(recorded, sort_keys=True), encoding="utf-8")
    temp_path.replace(paths.column_lineage)


def column_lineage(paths: DataPaths) -> dict[str, Lineage]:
    """The recorded lineage by dbt's id of the model; empty if the file is missing or damaged, until the next full build."""
    try:
        return _LINEAGES.validate_python(read_json_object(paths.column_lineage))
    except (FileNotFoundError, ValueError):
        return {}


def _lineage_of(manifest: Mapping[str, Any], name: str, sql: str) -> Lineage:
    from sqlglot import MappingSchema, exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    relations = {**manifest["nodes"], **manifest["sources"]}
    schema = MappingSchema(dialect=_DIALECT)
    parents: dict[str, str] = {}
    for parent in relations[name]["depends_on"]["nodes"]:
        # A source is a call that reads files: a plain name replaces it.
        plain = "__".join(parent.split("."))
        sql = sql.replace(relations[parent]["relation_name"], plain)
        # Every table of DuckDB has a rowid, which no list of columns contains.
        schema.add_table(plain, dict.fromkeys([*relations[parent]["columns"], "rowid"], "varchar"))
        parents[plain] = parent
    try:
        query = qualify(parse_one(sql, dialect=_DIALECT), schema=schema, dialect=_DIALECT)
        scope = build_scope(query)
        sources: Lineage = {}
        # Without insights, some models lack columns of their yml files.
        selected = query.named_selects if isinstance(query, exp.Query) else []
        for column in [column for column in relations[name]["columns"] if column in selected]:
            pairs = {
                (parents[node.expression.name], exp.to_column(node.name).name)
                for node in lineage(
                    column, query, schema, scope=scope, dialect=_DIALECT, trim_selects=False, copy=False
                ).walk()
                if not node.downstream and isinstance(node.expression, exp.Table)
            }
            sources[column] = sorted(pairs)
    except SqlglotError as error:  # lineage is for people to read: a build does not fail for it
        log.warning("%s: no column lineage: %s", name, error)
        return {}
    return sources
