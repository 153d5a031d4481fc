"""The yml files of the dbt project agree with the contracts in `models/`, and describe every model.

The files are read without dbt.

Not here: what the models compute (`tests/cases`, `tests/property`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import marts
from models.enums import DeliveryStatus, Log
from models.logs import COLUMNS, CONTRACTS
from models.marts import CONTACT_REPORTS
from scripts.dbt_properties import dbt_type, mart_properties, staging_properties, stale_files
from warehouse.export import REPORTS

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
MODELS = DBT_PROJECT / "models"
SQL_FILES = sorted(MODELS.rglob("*.sql"))


def models_of(layer: str) -> list[Path]:
    """The models of a layer, with those of the insights in it."""
    folders = (MODELS / layer, MODELS / layer / "insights")
    return [file for file in SQL_FILES if file.parent in folders]


INTERMEDIATE, THIS_RUN = models_of("intermediate"), models_of("this_run")
ROW_DIGESTS = [file.stem for file in SQL_FILES if file.parent.name == "row_digests"]
SOURCE_ROW_COLUMNS = {"log_date": "date", "source_file": "string", "row_number": "bigint"}
EXPORTS = set(REPORTS)


def properties(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def model(layer: str, name: str) -> dict[str, Any]:
    """The properties of a model in its yml file, which describes no other model."""
    (only,) = properties(MODELS / layer / f"{name}.yml")["models"]
    assert only["name"] == name
    return only


def generic_tests(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for test in node.get("data_tests", []):
        if isinstance(test, str):
            yield test, {}
        else:
            ((name, settings),) = test.items()
            yield name, settings.get("arguments", {})


def unique_keys(node: dict[str, Any]) -> list[list[str]]:
    return [arguments["columns"] for name, arguments in generic_tests(node) if name == "unique_key"]


def is_required(column: dict[str, Any]) -> bool:
    return {"type": "not_null"} in column.get("constraints", [])


def source(log: Log) -> dict[str, Any]:
    (logs,) = properties(MODELS / "staging" / "_logs__sources.yml")["sources"]
    (table,) = [table for table in logs["tables"] if table["name"] == log]
    return table


@pytest.mark.parametrize("schema", marts.SCHEMAS)
def test_the_marts_are_those_of_the_contract(schema: str) -> None:
    of_contract = {name for name, mart in marts.DBT_MARTS.items() if mart.schema == schema}
    assert {file.stem for file in (MODELS / schema).glob("*.sql")} == of_contract


def test_the_yml_files_agree_with_the_contracts() -> None:
    assert [file.name for file in stale_files()] == [], "to write them from models/: make docs"


def test_the_yml_file_of_a_new_mart_is_written_from_its_contract() -> None:
    (new,) = yaml.safe_load(mart_properties("campaigns", ""))["models"]
    written = model("marts", "campaigns")
    assert (new["name"], new["columns"], unique_keys(new)) == ("campaigns", written["columns"], unique_keys(written))


def test_the_yml_file_of_a_new_log_is_written_from_its_contract() -> None:
    (new,) = yaml.safe_load(staging_properties(Log.CLICKS, ""))["models"]
    written = model("staging", "stg_logs__clicks")
    assert new | {"description": ""} == written | {"description": ""}
    assert "Grain: one row per " in new["description"]


@pytest.mark.parametrize("mart", marts.DBT_MARTS)
class TestMart:
    def test_columns(self, mart: str) -> None:
        properties_in_yml = [
            (column["name"], column["data_type"], not is_required(column), column["description"])
            for column in model(marts.DBT_MARTS[mart].schema, mart)["columns"]
        ]
        assert properties_in_yml == [
            (column.name, dbt_type(column.sql_type), column.nullable, column.description)
            for column in marts.columns(mart)
        ]

    def test_description_and_key(self, mart: str) -> None:
        properties_in_yml = model(marts.DBT_MARTS[mart].schema, mart)
        assert properties_in_yml["description"] == marts.description(mart)
        assert unique_keys(properties_in_yml) == [list(marts.DBT_MARTS[mart].key)]

    def test_accepted_values(self, mart: str) -> None:
        properties_in_yml = {
            column["name"]: set(arguments["values"])
            for column in model(marts.DBT_MARTS[mart].schema, mart)["columns"]
            for name, arguments in generic_tests(column)
            if name == "accepted_values"
        }
        contract = marts.DBT_MARTS[mart].contract.to_schema().columns
        assert properties_in_yml == {
            name: {str(value) for value in check.statistics["allowed_values"]}
            for name, column in contract.items()
            for check in column.checks
            if check.name == "isin"
        }


def test_the_sources_are_the_logs() -> None:
    for file in (MODELS / "staging" / "_logs__sources.yml", MODELS / "this_run" / "_changes__sources.yml"):
        (logs,) = properties(file)["sources"]
        assert [table["name"] for table in logs["tables"]] == list(Log)


@pytest.mark.parametrize("log", Log)
class TestSource:
    def test_columns(self, log: Log) -> None:
        properties_in_yml = [
            (column["name"], column["data_type"], column["description"]) for column in source(log)["columns"]
        ]
        contract = CONTRACTS[log].to_schema().columns
        expected = [
            (column.name, dbt_type(marts.sql_type(contract[column.name].dtype.type)), column.description)
            for column in COLUMNS[log]
        ]
        assert properties_in_yml[: len(expected)] == expected
        assert {name: data_type for name, data_type, _ in properties_in_yml[len(expected) :]} == SOURCE_ROW_COLUMNS

    def test_description(self, log: Log) -> None:
        assert source(log)["description"] == " ".join((CONTRACTS[log].__doc__ or "").split())

    def test_staging_model_is_one_to_one(self, log: Log) -> None:
        staged = model("staging", f"stg_logs__{log}")
        properties_in_yml = [(column["name"], column["description"]) for column in staged["columns"]]
        assert properties_in_yml == [(column["name"], column["description"]) for column in source(log)["columns"]]
        assert unique_keys(staged) == [["source_file", "row_number"]]


@pytest.mark.parametrize("file", INTERMEDIATE, ids=lambda file: file.stem)
def test_intermediate_model_is_described_and_has_a_key(file: Path) -> None:
    properties_in_yml = model(file.parent.relative_to(MODELS).as_posix(), file.stem)
    grain = properties_in_yml["description"].split(". ")[-1]
    assert grain == "Grain: one row." or grain.startswith("Grain: one row per ")
    assert all(column.get("description") for column in properties_in_yml["columns"])
    key = unique_keys(properties_in_yml)[0]
    assert set(key) <= {column["name"] for column in properties_in_yml["columns"]}


@pytest.mark.parametrize("file", THIS_RUN, ids=lambda file: file.stem)
def test_model_of_this_run_is_described(file: Path) -> None:
    properties_in_yml = model(file.parent.relative_to(MODELS).as_posix(), file.stem)
    assert "Grain: one row per " in properties_in_yml["description"]
    assert all(column.get("description") for column in properties_in_yml["columns"])


def test_every_contact_level_report_has_row_digests() -> None:
    assert set(ROW_DIGESTS) == {f"int_{report}_row_digests" for report in CONTACT_REPORTS}
    for name in ROW_DIGESTS:
        properties_in_yml = model("intermediate/row_digests", name)
        assert properties_in_yml["description"].split(". ")[-1].startswith("Grain: one row per ")
        assert unique_keys(properties_in_yml) == [["campaign_id"]]
        assert all(column.get("description") for column in properties_in_yml["columns"])


def test_the_enum_of_a_build_has_the_five_delivery_statuses() -> None:
    (values,) = re.findall(r"enum\((.*)\)", (DBT_PROJECT / "macros" / "engine.sql").read_text(encoding="utf-8"))
    assert values.replace("'", "").split(", ") == list(DeliveryStatus)


def test_every_yml_has_its_model() -> None:
    models = {file.with_suffix("") for file in SQL_FILES}
    files_without_model = {"_logs__sources.yml", "_changes__sources.yml", "groups.yml", "exposures.yml"}
    properties_of_models = {
        file.with_suffix("")
        for file in MODELS.rglob("*.yml")
        if file.name not in files_without_model and not file.name.endswith("_unit_tests.yml")
    }
    assert properties_of_models == models


def test_every_export_is_an_exposure() -> None:
    exposures = properties(MODELS / "exposures.yml")["exposures"]
    exported = {exposure["name"]: exposure["depends_on"] for exposure in exposures if exposure["name"].endswith("_csv")}
    assert exported == {f"{mart}_csv": [f"ref('{mart}')"] for mart in EXPORTS}


def test_the_vocabulary_accepts_the_delivery_statuses() -> None:
    (seed,) = properties(DBT_PROJECT / "seeds" / "provider_vocabularies.yml")["seeds"]
    accepted = {column["name"]: dict(generic_tests(column)).get("accepted_values") for column in seed["columns"]}
    assert accepted["delivery_status"] == {"values": list(DeliveryStatus)}
    assert seed["config"]["column_types"] == {column["name"]: "string" for column in seed["columns"]}
