"""The yml files of the dbt project that are written from the contracts: marts, sources and staging models.

`make docs` writes them. `models/marts.py` and `models/insights.py` give the description of a mart, its columns with their
types and descriptions, the `not_null` constraints, the test of the key and the tests of accepted values. Other data tests of
a mart and everything from `unit_tests:` on are written by hand and kept. `models/logs.py` gives the tables of the sources,
with their columns, and the columns of the staging models. The text before them is written by hand and kept.

Not here: the contracts (`models`), how dbt is run (`warehouse.transform.dbt_runner`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS
from models.marts import DBT_MARTS, columns, description, sql_type
from warehouse.transform.dbt_runner import DBT_PROJECT

_MODELS = DBT_PROJECT / "models"
_GENERATED_TESTS = ("unique_key", "accepted_values")
_UNIT_TESTS = "\nunit_tests:\n"
_LAKE_COLUMNS = (
    ("log_date", "date", "Day on which the row was written to the log (UTC), from the folder's name."),
    ("source_file", "string", "The file it came from, relative to the log's folder in the landing zone."),
    ("row_number", "bigint", "Its position among the records of that file, from 1."),
)
"""The name, type and description of the columns that the lake adds to a log."""


def stale_files() -> dict[Path, str]:
    """The yml files that differ from their contracts, with the text that they should have."""
    stale = {}
    for file, text_from in _generated_files():
        existing = file.read_text(encoding="utf-8") if file.exists() else ""
        text = text_from(existing)
        if text != existing:
            stale[file] = text
    return stale


def _generated_files() -> Iterator[tuple[Path, Callable[[str], str]]]:
    """Each file, and the function that gives its text from the text that it has; that one is empty if there is no file."""
    for mart in DBT_MARTS:
        yield _MODELS / DBT_MARTS[mart].schema / f"{mart}.yml", partial(mart_properties, mart)
    for log in Log:
        yield _MODELS / "staging" / f"stg_logs__{log}.yml", partial(staging_properties, log)
    yield _MODELS / "staging" / "_logs__sources.yml", _logs_source
    yield _MODELS / "this_run" / "_changes__sources.yml", _changes_source


def mart_properties(mart: str, existing: str) -> str:
    """The text of a mart's yml file."""
    model_part, _, unit_tests = existing.partition(_UNIT_TESTS)
    lines = [
        "version: 2",
        "",
        f"# Written by `make docs` from the contract in models/{DBT_MARTS[mart].schema}.py, except for further data_tests and the"
        " unit_tests.",
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


def staging_properties(log: Log, existing: str) -> str:
    """The text of a staging model's yml file."""
    name = f"stg_logs__{log}"
    head = [
        "version: 2",
        "",
        "models:",
        f"  - name: {name}",
        "    description: >-",
        f"      Rows of the {log} log as the lake holds them, duplicates included.",
        "      Grain: one row per record of a log file.",
        "    data_tests:",
        "      - unique_key:",
        f"          name: keys_of_{name}_are_unique",
        "          arguments:",
        "            columns: [source_file, row_number]",
    ]
    lines = [line for column, _, text in _log_columns(log) for line in _named(column, "      ", description=text)]
    return _after(existing or "\n".join([*head, "    columns:"]) + "\n", "    columns:\n", lines)


def _logs_source(existing: str) -> str:
    tables = []
    for log in Log:
        lines = list(_named(log, "      ", description=" ".join((CONTRACTS[log].__doc__ or "").split())))
        lines.append("        columns:")
        for name, data_type, text in _log_columns(log):
            lines.extend(_named(name, "          ", data_type=data_type, description=text))
        tables.append("\n".join(lines))
    return _after(existing, "    tables:\n", ["\n\n".join(tables)])


def _changes_source(existing: str) -> str:
    text = "Rows of `{}`; `change` says whether each was added or removed."
    lines = [line for log in Log for line in _named(log, "      ", description=text.format(log))]
    return _after(existing, "    tables:\n", lines)


def _log_columns(log: Log) -> list[tuple[str, str, str]]:
    """The name, type and description of the columns of a log in the lake."""
    contract = CONTRACTS[log].to_schema().columns
    of_contract = [
        (column.name, dbt_type(sql_type(contract[column.name].dtype.type)), column.description)
        for column in COLUMNS[log]
    ]
    return [*of_contract, *_LAKE_COLUMNS]


def _named(name: str, indent: str, **properties: str) -> Iterator[str]:
    yield f"{indent}- name: {name}"
    yield from (f"{indent}  {key}: {_scalar(value)}" for key, value in properties.items())


def _after(existing: str, marker: str, lines: Sequence[str]) -> str:
    """The text up to a marker, and the lines after it."""
    return existing.partition(marker)[0] + marker + "\n".join(lines) + "\n"


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
