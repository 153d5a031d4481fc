"""JSON Schemas in `docs/schemas/`: one of the records of each log and one of a mapping file, for editors and producing teams, and
one of the output of `sendmart status --json`, for monitors.

`make docs` writes them; a test says when one is stale. A schema is looser than the contract: `sendmart check` decides.

Not here: the rules of the logs (`models.logs`), the keys of a mapping (`models.source_mapping`).
"""

import json
from pathlib import Path
from typing import Any

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, LogColumn
from models.source_mapping import LogMapping, RawFormat, SourceMapping
from models.text_types import MAX_ID_CHARACTERS
from orchestration.cli.output.state import CheckState, LogState, PublishedState, RefreshState, WarehouseState
from scripts.field_docs import describe_fields
from warehouse.config import PROJECT

FOLDER = PROJECT / "docs" / "schemas"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": ["string", "number"], "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
    "string": {"type": ["string", "number"]},
    "integer": {"type": ["integer", "string"], "pattern": r"^[+-]?[0-9]+(\.0+)?$"},
    "decimal": {"type": ["number", "string"], "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"},
    "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
    "campaign type": {"type": "string", "pattern": "^[SsMm][Mm][Ss]$"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}"},
}


def log_schema(log: Log) -> dict[str, Any]:
    """The schema of a record of a log, as a JSON object."""
    checks = {name: column.checks for name, column in CONTRACTS[log].to_schema().columns.items()}
    return {
        "$schema": _DRAFT,
        "title": log.value,
        "description": CONTRACTS[log].__doc__,
        "type": "object",
        "required": [column.name for column in COLUMNS[log] if column.must_be_in_file],
        "properties": {column.name: _property(column, checks[column.name]) for column in COLUMNS[log]},
    }


def _property(column: LogColumn, checks: list[Any]) -> dict[str, Any]:
    schema = dict(_TYPES[column.read_as.name])
    rules = [column.read_as.rule]
    for check in checks:
        statistics = check.statistics or {}
        if "pattern" in statistics:
            schema = {"type": "string", "pattern": statistics["pattern"]}
        if "allowed_values" in statistics:
            schema = {"enum": [str(value) for value in statistics["allowed_values"]]}
        if isinstance(check.error, str):
            rules.append(check.error)
    if not column.must_be_in_file:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {"description": f"{column.description} Rule: {'; '.join(rules)}.", **schema}


def mapping_schema() -> dict[str, Any]:
    """The schema of a mapping file."""
    describe_fields(RawFormat, LogMapping, SourceMapping)
    return {"$schema": _DRAFT, **SourceMapping.model_json_schema()}


def status_schema() -> dict[str, Any]:
    """The schema of the state that `sendmart status --json` prints."""
    describe_fields(RefreshState, PublishedState, LogState, CheckState, WarehouseState)
    return {"$schema": _DRAFT, **WarehouseState.model_json_schema(mode="serialization")}


def schemas() -> dict[Path, str]:
    """The text of each file."""
    contents = {f"{log}.schema.json": log_schema(log) for log in Log}
    contents |= {"mapping.schema.json": mapping_schema(), "status.schema.json": status_schema()}
    return {FOLDER / name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in contents.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, text in schemas().items():
        file.write_text(text, encoding="utf-8")
