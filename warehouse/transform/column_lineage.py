"""Column lineage: the columns that each column of a model is computed from.

It is derived from the SQL of a full build and kept beside dbt's manifest, because the SQL of an incremental build reads
`*_this_run` rows instead of the sources. A model whose code has changed is built in full, so the lineage always belongs to
the current code. A build on Spark leaves it unchanged. Only values count, not conditions: a count of rows or a constant has
no source column.

Not here: how it is shown (`orchestration.metadata`).
"""

import json
from collections.abc import Mapping
from typing import Any

from models.masking import masking_logger
from warehouse.config import DataPaths

Lineage = dict[str, list[list[str]]]
"""For each column, its source columns as pairs: dbt's id of the model, seed or source, and the name of the column."""

_DIALECT = "duckdb"

log = masking_logger("sendmart.build")


def record_column_lineage(paths: DataPaths, manifest: Mapping[str, Any], compiled: Mapping[str, str]) -> None:
    """Writes the lineage of models, given the SQL that built each in full; removes models that no longer exist.

    `*_this_run` models have no lineage: they select rows of other models.
    """
    recorded = {name: lineage for name, lineage in column_lineage(paths).items() if name in manifest["nodes"]}
    for name, sql in compiled.items():
        if manifest["nodes"][name]["schema"] != "this_run":
            recorded[name] = _lineage_of(manifest, name, sql)
    # Not synced: a lineage that is lost in a power cut is read as empty.
    temp_path = paths.temp_path(paths.column_lineage)
    temp_path.write_text(json.dumps(recorded, sort_keys=True), encoding="utf-8")
    temp_path.replace(paths.column_lineage)


def column_lineage(paths: DataPaths) -> dict[str, Lineage]:
    """The recorded lineage by dbt's id of the model; empty if the file was deleted, until the next full build."""
    try:
        return dict(json.loads(paths.column_lineage.read_bytes()))
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
        for column in relations[name]["columns"]:
            pairs = {
                (parents[node.expression.name], exp.to_column(node.name).name)
                for node in lineage(column, query, schema, scope=scope, dialect=_DIALECT).walk()
                if not node.downstream and isinstance(node.expression, exp.Table)
            }
            sources[column] = [[parent, source] for parent, source in sorted(pairs)]
    except SqlglotError as error:  # lineage is for people to read: a build does not fail for it
        log.warning("%s: no column lineage: %s", name, error)
        return {}
    return sources
