"""The rules of dbt-project-evaluator, and of this project, on dbt's manifest.

Exceptions are in one table, each with its reason. An exception that is no longer needed fails as well.

Not here: that yml files and contracts agree (`test_dbt_contracts.py`).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.running import environment, environment_of
from warehouse.config.paths import DataPaths
from warehouse.config.settings import load_settings
from warehouse.transform.dbt_runner import dbt_manifest

_CHANGE_FEED = "the change feed is no raw data: these models join its rows with the stored rows of their keys"

_READERS_OF_CHANGES = {
    "campaigns_this_run": ["campaigns"],
    "clicks_this_run": ["clicks"],
    "exchange_rates_this_run": ["exchange_rates"],
    "messages_this_run": ["receipts", "sends"],
    "orders_this_run": ["orders"],
    "unsubscribes_this_run": ["unsubscribes"],
}

EXCEPTIONS: dict[str, dict[str, str]] = {
    "only staging models read sources": {
        f"{name} reads changes.{log}": _CHANGE_FEED for name, logs in _READERS_OF_CHANGES.items() for log in logs
    },
    "no model joins a source with a model": dict.fromkeys(_READERS_OF_CHANGES, _CHANGE_FEED),
    "no model fans out to many leaves": dict.fromkeys(
        ("int_clicks_classified", "int_direct_orders_enriched"),
        "clicks and orders are few: an aggregate for each mart would cost more than it saves",
    ),
    "no model reads two sources": {
        "messages_this_run": "a message changes by its sends and by its receipts, and is resolved from both",
    },
    "sources are declared in staging": {
        "changes": "only the models of `this_run`, and incremental runs of three others, read the change feed",
    },
    "a staging model is in the folder of its source": {
        "models/staging": "there is one source of raw data",
    },
    "sources have a freshness": {
        "logs": "missing log dates are found in the landing zone (warehouse/landing/completeness.py), before the lake",
        "changes": "an empty change feed is an ordinary one",
    },
}
"""By rule, what breaks it and why it may."""

MOST_PARENTS = 7
MOST_LEAVES_OF_A_MODEL = 3
LONGEST_VIEW_CHAIN = 4
LONGEST_TEST_NAME = 60

PREFIXES = {"staging": "stg_", "intermediate": "int_", "row_digests": "int_"}
SUFFIXES = {"this_run": "_this_run"}

Node = Mapping[str, Any]


class Project:
    """The manifest, and who depends on whom."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        nodes = manifest["nodes"]
        self.models = {name: node for name, node in nodes.items() if node["resource_type"] == "model"}
        self.tests = [node for node in nodes.values() if node["resource_type"] == "test"]
        self.sources: dict[str, Node] = manifest["sources"]
        self.exposures: dict[str, Node] = manifest["exposures"]
        self.parents = {name: list(dict.fromkeys(node["depends_on"]["nodes"])) for name, node in self.models.items()}
        self.children: dict[str, list[str]] = {}
        for name, parents in self.parents.items():
            for parent in parents:
                self.children.setdefault(parent, []).append(name)

    def sources_of(self, model: str) -> list[str]:
        return [parent for parent in self.parents[model] if parent in self.sources]

    def models_of(self, model: str) -> list[str]:
        return [parent for parent in self.parents[model] if parent in self.models]

    def leaves_of(self, model: str) -> list[str]:
        return [child for child in self.children.get(model, []) if not self.children.get(child)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("rules")
    with environment(environment_of(folder / "data", folder / "landing", insights="true")):
        return Project(dbt_manifest(load_settings(), DataPaths(folder / "data")))


def short(unique_id: str) -> str:
    """`model.sendmart.campaigns` as `campaigns`, `source.sendmart.logs.sends` as `logs.sends`."""
    return ".".join(unique_id.split(".")[2:])


def layer(node: Node) -> str:
    """The folder, or, for the `insights` folder of a layer, the layer."""
    folder = Path(node["path"]).parent
    return folder.parent.name or folder.name if folder.name == "insights" else folder.name


def check(rule: str, violations: Iterator[str]) -> None:
    """What breaks a rule must be exactly what the table of exceptions lists."""
    assert set(violations) == EXCEPTIONS.get(rule, {}).keys(), rule


# --- modelling


def test_only_staging_models_read_sources(project: Project) -> None:
    check(
        "only staging models read sources",
        (
            f"{short(name)} reads {short(source)}"
            for name, node in project.models.items()
            if layer(node) != "staging"
            for source in project.sources_of(name)
        ),
    )


def test_no_model_joins_a_source_with_a_model(project: Project) -> None:
    check(
        "no model joins a source with a model",
        (short(name) for name in project.models if project.sources_of(name) and project.models_of(name)),
    )


def test_no_model_reads_two_sources(project: Project) -> None:
    check("no model reads two sources", (short(name) for name in project.models if project.sources_of(name)[1:]))


def test_a_source_has_one_reader(project: Project) -> None:
    check(
        "a source has one reader", (short(name) for name in project.sources if len(project.children.get(name, ())) > 1)
    )


def test_every_source_is_read(project: Project) -> None:
    check("every source is read", (short(name) for name in project.sources if not project.children.get(name)))


def test_every_model_has_a_parent(project: Project) -> None:
    check("every model has a parent", (short(name) for name, parents in project.parents.items() if not parents))


def test_staging_models_read_no_model(project: Project) -> None:
    check(
        "staging models read no model",
        (short(name) for name, node in project.models.items() if layer(node) == "staging" and project.models_of(name)),
    )


def test_no_model_has_too_many_parents(project: Project) -> None:
    check(
        "no model has too many parents",
        (short(name) for name in project.models if len(project.parents[name]) > MOST_PARENTS),
    )


def test_no_model_fans_out_to_many_leaves(project: Project) -> None:
    check(
        "no model fans out to many leaves",
        (short(name) for name in project.models if len(project.leaves_of(name)) > MOST_LEAVES_OF_A_MODEL),
    )


def test_no_upstream_model_is_rejoined(project: Project) -> None:
    """A model that has one parent and one child, where that child reads the parent as well, belongs into the child."""
    check(
        "no upstream model is rejoined",
        (
            f"{short(child)} reads {short(name)} and {short(parent)}"
            for name in project.models
            for parent in project.parents[name]
            for child in project.children.get(name, ())
            if len(project.parents[name]) == 1 and len(project.children[name]) == 1 and parent in project.parents[child]
        ),
    )


def test_no_model_names_a_table(project: Project) -> None:
    pattern = re.compile(r"(?<!distinct )\b(?:from|join)\s+[\"\w]+\.[\"\w]+", re.IGNORECASE)
    without_comments = {name: re.sub(r"--.*|\{#.*?#\}", "", node["raw_code"]) for name, node in project.models.items()}
    check("no model names a table", (short(name) for name, code in without_comments.items() if pattern.search(code)))


# --- tests and documentation


def test_every_model_has_a_test_of_its_key(project: Project) -> None:
    tested = {
        test["attached_node"]
        for test in project.tests
        if (test.get("test_metadata") or {}).get("name") in ("unique", "unique_key")
    }
    check("every model has a test of its key", (short(name) for name in project.models if name not in tested))


def test_data_tests_have_short_names_that_read_as_sentences(project: Project) -> None:
    """A name that dbt made up from a test's arguments, or from nothing but a verb, is none."""
    names = [test["name"] for test in project.tests]
    assert len(names) == len(set(names)) > 90
    assert [name for name in names if len(name) > LONGEST_TEST_NAME] == []
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(__?[a-z0-9]+){2,}", name)] == []
    kinds = {(test.get("test_metadata") or {}).get("name") for test in project.tests} - {None}
    assert [name for name in names if name.startswith(tuple(f"{kind}_" for kind in kinds))] == []


def test_every_singular_test_has_an_entry_in_invariants_yml(project: Project) -> None:
    """The entry is the description of the check: without one, the audit shows the name of the file."""
    singular = [test for test in project.tests if not test.get("test_metadata")]
    assert len(singular) >= 20
    entry = re.compile(r"sendmart://tests/(insights/)?invariants\w*\.yml")
    check(
        "every singular test has an entry in invariants.yml",
        (
            test["name"]
            for test in singular
            if not test["description"] or not entry.fullmatch(test.get("patch_path") or "")
        ),
    )


def test_everything_is_described(project: Project) -> None:
    nodes = {**project.models, **project.sources}
    check("models and sources are described", (short(name) for name, node in nodes.items() if not node["description"]))
    check(
        "sources are described",
        (node["source_name"] for node in project.sources.values() if not node["source_description"]),
    )
    check(
        "columns are described",
        (
            f"{short(name)}.{column}"
            for name, node in nodes.items()
            for column, of_node in node["columns"].items()
            if not of_node["description"]
        ),
    )
    check("models have columns", (short(name) for name, node in project.models.items() if not node["columns"]))


def test_columns_of_stored_models_have_a_type(project: Project) -> None:
    """Unit tests need it where dbt at the prompt has not built the model yet (`macros/get_fixture_sql.sql`)."""
    check(
        "columns of stored models have a type",
        (
            f"{short(name)}.{column}"
            for name, node in project.models.items()
            if layer(node) != "staging"
            for column, of_node in node["columns"].items()
            if not of_node["data_type"]
        ),
    )


def test_sources_have_a_freshness(project: Project) -> None:
    check(
        "sources have a freshness",
        (
            node["source_name"]
            for node in project.sources.values()
            if not any(
                (node.get("freshness") or {}).get(kind, {}).get("count") for kind in ("warn_after", "error_after")
            )
        ),
    )


# --- names and folders


def test_models_are_named_after_their_layer(project: Project) -> None:
    check(
        "models are named after their layer",
        (
            short(name)
            for name, node in project.models.items()
            if not node["name"].startswith(PREFIXES.get(layer(node), ""))
            or not node["name"].endswith(SUFFIXES.get(layer(node), ""))
            or (layer(node) not in PREFIXES and node["name"].startswith(("stg_", "int_")))
        ),
    )


def test_a_staging_model_is_in_the_folder_of_its_source(project: Project) -> None:
    check(
        "a staging model is in the folder of its source",
        (
            str(Path(node["original_file_path"]).parent)
            for name, node in project.models.items()
            if node["name"].startswith("stg_")
            and layer(node) != project.sources[project.sources_of(name)[0]]["source_name"]
        ),
    )


def test_sources_are_declared_in_staging(project: Project) -> None:
    check(
        "sources are declared in staging",
        (
            node["source_name"]
            for node in project.sources.values()
            if Path(node["original_file_path"]).parts[:2] != ("models", "staging")
        ),
    )


def test_yml_and_sql_of_a_model_are_side_by_side(project: Project) -> None:
    check(
        "yml and sql of a model are side by side",
        (
            short(name)
            for name, node in project.models.items()
            if node["patch_path"] != f"sendmart://{Path(node['original_file_path']).with_suffix('.yml')}"
        ),
    )


# --- performance and governance


def test_no_chain_of_views_is_long(project: Project) -> None:
    def views_above(name: str) -> int:
        if name not in project.models or project.models[name]["config"]["materialized"] != "view":
            return 0
        return 1 + max(map(views_above, project.parents[name]), default=0)

    check(
        "no chain of views is long", (short(name) for name in project.models if views_above(name) > LONGEST_VIEW_CHAIN)
    )


def test_published_models_have_enforced_contracts(project: Project) -> None:
    published = {name: node for name, node in project.models.items() if node["database"] == "candidate"}
    assert len(published) > 12
    check(
        "published models have enforced contracts",
        (short(name) for name, node in published.items() if not node["contract"]["enforced"]),
    )
    check(
        "published models have a type for every column",
        (
            f"{short(name)}.{column}"
            for name, node in published.items()
            for column, of_node in node["columns"].items()
            if not of_node["data_type"]
        ),
    )


def test_public_models_are_the_marts(project: Project) -> None:
    public = {short(name) for name, node in project.models.items() if node["access"] == "public"}
    assert public == {short(name) for name, node in project.models.items() if layer(node) in ("marts", "insights")}


def test_exposures_read_public_tables(project: Project) -> None:
    check(
        "exposures read public tables",
        (
            f"{exposure['name']} reads {short(parent)}"
            for exposure in project.exposures.values()
            for parent in exposure["depends_on"]["nodes"]
            if project.models[parent]["access"] != "public"
            or project.models[parent]["config"]["materialized"] not in ("table", "incremental")
        ),
    )
