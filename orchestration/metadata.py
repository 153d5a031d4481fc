"""What Dagster shows of assets and checks: columns, lineage, figures, tags, code versions, failed rules. A run that found
nothing new reports no figures: zeros would make every plot fall. Only previews hold values of rows; they are masked.

Not here: the assets (`orchestration/defs`), the facts themselves (`orchestration.stages`, `warehouse/`).
"""

import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from models.check_results import CheckResult
from models.enums import Log
from models.logs import COLUMNS
from models.marts import MARTS, columns, sql_type
from models.masking import HIDDEN_COLUMNS, MASKED_COLUMNS
from warehouse.ledger import LoadedFile
from warehouse.transform.compiled_sql import Lineage

COLUMN_SCHEMA, COLUMN_LINEAGE = "dagster/column_schema", "dagster/column_lineage"
ROW_COUNT, PARTITION_ROW_COUNT = "dagster/row_count", "dagster/partition_row_count"
"""The keys under which Dagster looks for them."""


def tags(layer: str, column_names: Iterable[str]) -> dict[str, str]:
    """The tags of an asset, for searches. `personal_data` is `yes` if one of its columns identifies a person."""
    is_personal = not (MASKED_COLUMNS | HIDDEN_COLUMNS).isdisjoint(column_names)
    return {"domain": "campaign_reports", "layer": layer, "personal_data": "yes" if is_personal else "no"}


def code_version(*modules: ModuleType) -> str:
    """A fingerprint of the source of modules and packages, with their queries and templates. If it differs from that of the
    last materialization, Dagster shows that the code has changed.
    """
    digest = hashlib.sha256()
    for module in modules:
        file = Path(inspect.getfile(module))
        for source in sorted(file.parent.rglob("*")) if file.name == "__init__.py" else [file]:
            if source.suffix in (".py", ".sql", ".html", ".toml"):
                digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def check_result(key: dg.AssetCheckKey, result: CheckResult) -> dg.AssetCheckResult:
    """A recorded result as the result of a Dagster check: what was found, how many rows were checked and failed, and keys of
    failing rows.
    """
    facts: dict[str, Any] = {"found": result.detail} if result.detail else {}
    for name in ("checked_rows", "failing_rows"):
        if counts := [count for rule in result.rules if (count := getattr(rule, name)) is not None]:
            facts[name] = max(counts)
    failed = [
        {
            "expected": rule.description,
            "checked_rows": rule.checked_rows,
            "failing_rows": rule.failing_rows,
            "keys": [dict(keys) for keys in rule.example_keys],
        }
        for rule in result.rules
        if not rule.passed
    ]
    if failed:
        facts["failed_rules"] = dg.MetadataValue.json(failed)
    severity = dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=key.asset_key, check_name=key.name, passed=result.passed, severity=severity, metadata=facts
    )


# --- logs


def log_schema(log: Log) -> dg.TableSchema:
    return _schema(
        _column(column.name, sql_type(column.read_as.dtype), column.description, nullable=not column.is_required)
        for column in COLUMNS[log]
    )


def _column(name: str, type_: str, text: str | None, *, nullable: bool = True, unique: bool = False) -> dg.TableColumn:
    return dg.TableColumn(name, type_, text, dg.TableColumnConstraints(nullable=nullable, unique=unique))


def _schema(table_columns: Iterable[dg.TableColumn], key: Sequence[str] = ()) -> dg.TableSchema:
    constraints = dg.TableConstraints([f"unique: {', '.join(key)}"]) if key else None
    return dg.TableSchema(list(table_columns), constraints)


def load_facts(loaded: list[LoadedFile], sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The figures of a load; empty if no file was loaded. `sizes`: by file name, its bytes and those of its rows in the lake."""
    if not loaded:
        return {}
    records, rows = sum(file.records for file in loaded), sum(file.rows for file in loaded)
    rejected = sum(file.rejected for file in loaded)
    unknown = sorted({name for file in loaded for name in file.unknown_columns})
    events = [event for file in loaded for event in (file.first_event, file.last_event) if event]
    return {
        "files": len(loaded),
        "files_refused": sum(file.refusal is not None for file in loaded),
        "rows_in": records,
        "rows_accepted": sum(file.accepted for file in loaded),
        "rows_quarantined": rejected,
        "quarantined_share": rejected / rows if rows else 0.0,
        "bytes_of_log_files": sum(sizes[file.source_file][0] for file in loaded),
        "bytes_in_lake": sum(sizes[file.source_file][1] for file in loaded),
        "first_log_date": str(min(file.log_date for file in loaded)),
        "last_log_date": str(max(file.log_date for file in loaded)),
        "unknown_columns": ", ".join(unknown) or "none",
        **({"first_event": _timestamp(min(events)), "last_event": _timestamp(max(events))} if events else {}),
    }


def lake_rows(recorded: Iterable[LoadedFile], day: date | None = None) -> int:
    """The number of rows of a log in the lake, or those of one date. `recorded`: all files of the log in the ledger."""
    return sum(file.accepted for file in recorded if day in (None, file.log_date))


def _timestamp(event: str) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(datetime.fromisoformat(event).replace(tzinfo=UTC))


# --- models and marts


def model_schema(
    node: Mapping[str, Any], types: Mapping[str, str] | None = None, key: Sequence[str] = ()
) -> dg.TableSchema:
    """The columns of a dbt node, with the `types` of built columns and a unique `key`; of a mart, from its contract."""
    if node["name"] in MARTS and node["resource_type"] == "model":
        return mart_schema(node["name"])
    columns_of_node = (
        _column(
            name,
            (types or {}).get(name, column.get("data_type") or "?").lower(),
            column.get("description") or None,
            unique=[name] == list(key),
        )
        for name, column in node["columns"].items()
    )
    return _schema(columns_of_node, key)


def unique_keys(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """The columns of the unique key of each model that has a test of one, by dbt's unique id."""
    return {
        node["attached_node"]: node["test_metadata"]["kwargs"]["columns"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") == "unique_key"
        and not node["config"].get("where")
    }


def mart_schema(mart: str) -> dg.TableSchema:
    key = MARTS[mart].key
    columns_of_mart = (
        _column(c.name, c.sql_type, c.description, nullable=c.nullable, unique=(c.name,) == key) for c in columns(mart)
    )
    return _schema(columns_of_mart, key)


def lineage_table(lineage: Lineage, keys: Mapping[str, dg.AssetKey]) -> str:
    """The lineage of a model's columns as a Markdown table: Dagster draws it only in its paid edition."""
    lines = ["| column | made from |", "| --- | --- |"]
    for column, parents in lineage.items():
        lines.append(f"| {column} | {', '.join(f'{keys[parent].path[-1]}.{of}' for parent, of in parents) or '-'} |")
    return "\n".join(lines)


def model_lineage(lineage: Lineage, keys: Mapping[str, dg.AssetKey]) -> dg.TableColumnLineage:
    """The lineage of a model's columns. `keys`: the asset keys by dbt's unique id."""
    return dg.TableColumnLineage(
        {column: [dg.TableColumnDep(keys[parent], of) for parent, of in parents] for column, parents in lineage.items()}
    )
