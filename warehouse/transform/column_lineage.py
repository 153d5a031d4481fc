"""Which columns a model's columns are made from, told by the SQL that was run.

Worked out when a model is built in full, and kept beside dbt's manifest: the SQL of an ordinary night reads what the night
touches, which says nothing of where a column comes from. A model whose code changes is built in full, so what is kept is
never that of other code; a build on Spark leaves it as it is. Values are followed, not conditions: a count of rows, or a
constant, comes from no column.

Not here: how it is shown (`orchestration.metadata`).
"""

import json
from collections.abc import Mapping
from typing import Any

from models.masking import masking_logger
from warehouse.foundation import DataPaths, atomic_replace

Lineage = dict[str, list[list[str]]]
"""By column, the columns it is made from: dbt's id of the model, seed or source, and the column's name there."""

_DIALECT = "duckdb"
_THIS_RUN = "this_run"
_ROW = "rowid"
"""Every table of DuckDB's has it, and no list of columns does."""

log = masking_logger("sendmart.build")


def record_column_lineage(paths: DataPaths, manifest: Mapping[str, Any], compiled: Mapping[str, str]) -> None:
    """Works out and keeps the lineage of models, given the SQL that built each in full; forgets models that are gone.

    Not of what a run touches: it is made from changes, which are rows and no columns of anything.
    """
    kept = {name: lineage for name, lineage in column_lineage(paths).items() if name in manifest["nodes"]}
    for name, sql in compiled.items():
        if manifest["nodes"][name]["schema"] != _THIS_RUN:
            kept[name] = _lineage_of(manifest, name, sql)
    path = paths.column_lineage
    temp_path = path.with_name(f".{path.name}.tmp")
    temp_path.write_text(json.dumps(kept, sort_keys=True), encoding="utf-8")
    atomic_replace(temp_path, path)


def column_lineage(paths: DataPaths) -> dict[str, Lineage]:
    """What is known of the models of the build at hand; nothing where it was deleted, until they are built in full."""
    try:
        recorded: dict[str, Lineage] = json.loads(paths.column_lineage.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return recorded


def _lineage_of(manifest: Mapping[str, Any], name: str, sql: str) -> Lineage:
    from sqlglot.errors import SqlglotError

    try:
        return _traced(manifest, name, sql)
    except SqlglotError as error:  # it is for people to look at: no build ends for it
        log.warning("%s: where its columns come from cannot be told: %s", name, error)
        return {}


def _traced(manifest: Mapping[str, Any], name: str, sql: str) -> Lineage:
    from sqlglot import MappingSchema, exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    relations = {**manifest["nodes"], **manifest["sources"]}
    schema = MappingSchema(dialect=_DIALECT)
    names: dict[str, str] = {}
    for parent in relations[name]["depends_on"]["nodes"]:
        # A source is a call that reads files: a plain name takes its place.
        plain = "__".join(parent.split("."))
        sql = sql.replace(relations[parent]["relation_name"], plain)
        schema.add_table(plain, dict.fromkeys([*relations[parent]["columns"], _ROW], "varchar"))
        names[plain] = parent
    query = qualify(parse_one(sql, dialect=_DIALECT), schema=schema, dialect=_DIALECT)
    scope = build_scope(query)
    found: Lineage = {}
    for column in relations[name]["columns"]:
        ends = [
            node for node in lineage(column, query, schema, scope=scope, dialect=_DIALECT).walk() if not node.downstream
        ]
        tables = [(end, end.expression) for end in ends if isinstance(end.expression, exp.Table)]
        pairs = {(names[table.name], exp.to_column(end.name).name) for end, table in tables}
        found[column] = [[parent, of] for parent, of in sorted(pairs)]
    return found
