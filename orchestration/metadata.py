"""What Dagster shows of assets besides that they were made: columns and where they come from, figures, tags, code versions.

Figures are numbers, so that Dagster plots them over time; a run that found nothing new gives none, or the plots would
fall to zero every quiet night. Nothing here holds a value of a row but previews, which are masked where they are made.

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

from models.enums import Log
from models.logs import COLUMNS
from models.marts import MARTS, columns, sql_type
from models.masking import HIDDEN_COLUMNS, MASKED_COLUMNS
from warehouse.ledger import LoadedFile
from warehouse.transform.column_lineage import Lineage

COLUMN_SCHEMA, COLUMN_LINEAGE = "dagster/column_schema", "dagster/column_lineage"
ROW_COUNT, PARTITION_ROW_COUNT = "dagster/row_count", "dagster/partition_row_count"
"""The names under which Dagster looks for them."""

DOMAIN = "campaign_reports"


def tags(layer: str, column_names: Iterable[str]) -> dict[str, str]:
    """By what an asset can be searched for; `personal_data` tells whether it has a column that stands for a person."""
    is_personal = not (MASKED_COLUMNS | HIDDEN_COLUMNS).isdisjoint(column_names)
    return {"domain": DOMAIN, "layer": layer, "personal_data": "yes" if is_personal else "no"}


def code_version(*modules: ModuleType) -> str:
    """A fingerprint of the source of modules and packages. When it changes, Dagster shows that the asset's code is newer
    than the asset.
    """
    digest = hashlib.sha256()
    for module in modules:
        file = Path(inspect.getfile(module))
        for source in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


# --- logs


def log_schema(log: Log) -> dg.TableSchema:
    """The columns of a log in the lake, as its contract has them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                sql_type(column.read_as.dtype),
                column.description,
                dg.TableColumnConstraints(nullable=not column.is_required),
            )
            for column in COLUMNS[log]
        ]
    )


def of_loaded(loaded: list[LoadedFile], sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """What a load took, or one date of it, with the bytes of each file: nothing where it took nothing."""
    if not loaded:
        return {}
    records = sum(file.records for file in loaded)
    rejected = sum(file.rejected for file in loaded)
    unknown = sorted({name for file in loaded for name in file.unknown_columns})
    metadata: dict[str, Any] = {
        "files": len(loaded),
        "files_refused": sum(file.refusal is not None for file in loaded),
        "rows_in": records,
        "rows_accepted": sum(file.accepted for file in loaded),
        "rows_quarantined": rejected,
        "quarantined_share": rejected / records if records else 0.0,
        "bytes_of_log_files": sum(sizes[file.source_file][0] for file in loaded),
        "bytes_in_lake": sum(sizes[file.source_file][1] for file in loaded),
        "first_log_date": str(min(file.log_date for file in loaded)),
        "last_log_date": str(max(file.log_date for file in loaded)),
        "unknown_columns": ", ".join(unknown) or "none",
    }
    if firsts := [file.first_event for file in loaded if file.first_event]:
        metadata["first_event"] = _moment(min(firsts))
    if lasts := [file.last_event for file in loaded if file.last_event]:
        metadata["last_event"] = _moment(max(lasts))
    return metadata


def rows_in_lake(noted: Iterable[LoadedFile], day: date | None = None) -> int:
    """The rows of a log that the lake holds, or those of one date."""
    return sum(file.accepted for file in noted if day in (None, file.log_date))


def _moment(event: str) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(datetime.fromisoformat(event).replace(tzinfo=UTC))


# --- models and marts


def model_schema(
    node: Mapping[str, Any], types: Mapping[str, str] | None = None, key: Sequence[str] = ()
) -> dg.TableSchema:
    """The columns of a dbt node: a mart's as its contract has them, others as dbt's manifest does and as they were built."""
    if node["name"] in MARTS and node["resource_type"] == "model":
        return mart_schema(node["name"])
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                (types or {}).get(name, column.get("data_type") or "?").lower(),
                column.get("description") or None,
                dg.TableColumnConstraints(unique=[name] == list(key)),
            )
            for name, column in node["columns"].items()
        ],
        _key_constraint(key),
    )


def keys_of_models(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """By dbt's id, the columns by which rows of a model are told apart, where a test holds it to them."""
    return {
        node["attached_node"]: node["test_metadata"]["kwargs"]["columns"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "unique_key"
    }


def mart_schema(mart: str) -> dg.TableSchema:
    """The columns of a mart, as its contract has them."""
    key = MARTS[mart].key
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.sql_type,
                column.description,
                dg.TableColumnConstraints(nullable=column.nullable, unique=(column.name,) == key),
            )
            for column in columns(mart)
        ],
        _key_constraint(key),
    )


def _key_constraint(key: Sequence[str]) -> dg.TableConstraints | None:
    return dg.TableConstraints([f"unique: {', '.join(key)}"]) if key else None


def lineage_to_read(lineage: Lineage, keys: Mapping[str, dg.AssetKey]) -> str:
    """The same as a Markdown table: Dagster draws lineage of columns only in its paid edition."""
    lines = ["| column | made from |", "| --- | --- |"]
    for column, parents in lineage.items():
        lines.append(f"| {column} | {', '.join(f'{keys[parent].path[-1]}.{of}' for parent, of in parents) or '-'} |")
    return "\n".join(lines)


def model_lineage(lineage: Lineage, keys: Mapping[str, dg.AssetKey]) -> dg.TableColumnLineage:
    """Where a model's columns come from, by the asset keys of dbt's nodes."""
    return dg.TableColumnLineage(
        {column: [dg.TableColumnDep(keys[parent], of) for parent, of in parents] for column, parents in lineage.items()}
    )
