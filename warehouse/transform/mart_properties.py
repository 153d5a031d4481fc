"""The yml files of the marts: dbt's description, columns, constraints and tests of a mart, written from its contract.

`make docs` writes `dbt_project/models/marts/<mart>.yml`. The contract in `models/marts.py` gives the description, the columns
with their types and descriptions, the `not_null` constraints, the test of the key and the tests of accepted values. Other data
tests of the mart and everything from `unit_tests:` on are written by hand and kept.

Not here: the contracts (`models.marts`), how dbt is run (`warehouse.transform.dbt_runner`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from models.marts import DBT_MARTS, columns, description
from warehouse.transform.dbt_runner import DBT_PROJECT

MARTS_FOLDER = DBT_PROJECT / "models" / "marts"
_GENERATED_TESTS = ("unique_key", "accepted_values")
_UNIT_TESTS = "\nunit_tests:\n"


def properties(mart: str, existing: str) -> str:
    """The text of a mart's yml file. `existing` is the text of the file as it is; empty if there is none."""
    model_part, _, unit_tests = existing.partition(_UNIT_TESTS)
    lines = [
        "version: 2",
        "",
        "# Written by `make docs` from the contract in models/marts.py, except for further data_tests and the unit_tests.",
        "models:",
        f"  - name: {mart}",
        f"    description: {_scalar(description(mart))}",
        "    data_tests:",
        "      - unique_key:",
        f"          name: keys_of_{mart}_are_unique",
        "          arguments:",
        f"            columns: [{', '.join(DBT_MARTS[mart].key)}]",
        *_further_tests(model_part),
        "    columns:",
        *_column_lines(mart),
    ]
    text = "\n".join(lines) + "\n"
    return f"{text}{_UNIT_TESTS}{unit_tests}" if unit_tests else text


def stale_files() -> dict[Path, str]:
    """The yml files of the marts that differ from their contracts, with the text that they should have."""
    stale = {}
    for mart in DBT_MARTS:
        file = MARTS_FOLDER / f"{mart}.yml"
        existing = file.read_text(encoding="utf-8") if file.exists() else ""
        text = properties(mart, existing)
        if text != existing:
            stale[file] = text
    return stale


def dbt_type(sql_type: str) -> str:
    """The name of a DuckDB type that Spark knows as well."""
    return "string" if sql_type == "varchar" else sql_type


def _further_tests(model_part: str) -> Iterator[str]:
    """The data tests that are written by hand, as lines of yml."""
    models: list[dict[str, Any]] = (yaml.safe_load(model_part) or {}).get("models", [])
    for test in (test for model in models for test in model.get("data_tests", [])):
        ((kind, settings),) = test.items()
        if kind in _GENERATED_TESTS:
            continue
        yield f"      - {kind}:"
        for name, value in settings.items():
            if isinstance(value, dict):
                yield f"          {name}:"
                yield from (f"            {key}: {_scalar(argument)}" for key, argument in value.items())
            else:
                yield f"          {name}: {_scalar(value)}"


def _column_lines(mart: str) -> Iterator[str]:
    contract = DBT_MARTS[mart].contract.to_schema().columns
    for column in columns(mart):
        yield f"      - name: {column.name}"
        yield f"        data_type: {dbt_type(column.sql_type)}"
        yield f"        description: {_scalar(column.description)}"
        if not column.nullable:
            yield "        constraints:"
            yield "          - type: not_null"
        for check in contract[column.name].checks:
            if check.name == "isin":
                values = ", ".join(str(value) for value in check.statistics["allowed_values"])
                yield "        data_tests:"
                yield "          - accepted_values:"
                yield f"              name: {column.name}_of_{mart}_is_known"
                yield "              arguments:"
                yield f"                values: [{values}]"


def _scalar(value: Any) -> str:
    """A value as yml on one line: bare if it is read back as the same text, else quoted."""
    if isinstance(value, str):
        try:
            is_bare = yaml.safe_load(f"key: {value}") == {"key": value}
        except yaml.YAMLError:
            is_bare = False
        return value if is_bare else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    for path, text in stale_files().items():
        path.write_text(text, encoding="utf-8")
