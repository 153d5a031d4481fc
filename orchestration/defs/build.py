"""The dbt models, seeds and tests as Dagster assets and checks, with their lineage from the raw logs.

One step builds the models and then runs the tests, in this process, so that a failed test still leaves a whole candidate
to look at. Where the candidate at hand is what a build would give, and was published, there is nothing to do and
everything after it is passed over.

Not here: the models (`dbt_project/`), how dbt is run (`warehouse.transform.dbt_runner`).
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from models.check_results import CheckResult
from orchestration import metadata, stages
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings
from warehouse.ledger import Build
from warehouse.transform.build import BuiltNode, built_marts, built_tables
from warehouse.transform.column_lineage import column_lineage
from warehouse.transform.dbt_runner import DBT_PROJECT, dbt_manifest
from warehouse.transform.fingerprints import code_fingerprint


class BuildConfig(dg.Config):
    """`full_refresh` builds even where the candidate at hand is what a build would give."""

    full_refresh: bool = False


class Translator(DagsterDbtTranslator):
    """What Dagster shows of a dbt node: its folder as its group, sources as the raw logs' assets."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return dbt_resource_props["fqn"][1]

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["logs", dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_asset_check_spec(self, *args: Any, **kwargs: Any) -> dg.AssetCheckSpec | None:
        # Never blocking to Dagster, which would end the run before the audit and the gate: the gate holds back.
        spec = super().get_asset_check_spec(*args, **kwargs)
        return spec and spec._replace(blocking=False)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # Without the SQL that dagster-dbt adds to it: it hides the words, and is where the code reference leads.
        return dbt_resource_props["description"]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return metadata.tags(self.get_group_name(dbt_resource_props), dbt_resource_props["columns"])

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        # dagster-dbt asks for sources, too, which have no code.
        return code_fingerprint(dbt_resource_props)[:16] if "checksum" in dbt_resource_props else None

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        code = dg.LocalFileCodeReference(file_path=str(DBT_PROJECT / dbt_resource_props["original_file_path"]))
        return {
            **super().get_metadata(dbt_resource_props),
            metadata.COLUMN_SCHEMA: metadata.model_schema(dbt_resource_props),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[code]),
        }


def _manifest() -> dict[str, Any]:
    opened = AppContext.of(load_settings())
    return dbt_manifest(opened.settings, opened.paths)


_MANIFEST = _manifest()
# The lake and its changes are one asset to Dagster.
_TRANSLATOR = Translator(settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))
_NODES = {name: node for name, node in _MANIFEST["nodes"].items() if node["resource_type"] in ("model", "seed")}
_ASSETS = {name: _TRANSLATOR.get_asset_key(node) for name, node in {**_NODES, **_MANIFEST["sources"]}.items()}


@dbt_assets(manifest=_MANIFEST, name="build", dagster_dbt_translator=_TRANSLATOR, pool=POOL)
@retry_transient
def dbt_build(context: dg.AssetExecutionContext, config: BuildConfig, warehouse: WarehouseResource) -> Iterator[Any]:
    opened = warehouse.open()
    candidate = opened.ledger.candidate()
    nodes: list[BuiltNode] = []
    if config.full_refresh or not stages.is_built(opened):
        candidate, nodes = stages.build_candidate(opened, full_refresh=config.full_refresh)
    elif candidate is not None and stages.is_published(opened, candidate):
        context.log.info("the published build %s is up to date: nothing to build", candidate.build_id)
        return
    results = {result.name: result for result in stages.test_candidate(opened).values()}
    # After the tests: they are what counts the rows that a build touched.
    shown = _shown(opened, candidate, nodes)
    # Dagster wants to hear of an asset after those it depends on.
    for key in TopologicalSorter(context.assets_def.asset_deps).static_order():
        if key in context.selected_asset_keys & shown.keys():
            yield dg.MaterializeResult(asset_key=key, metadata=shown[key])
    for check_key in context.selected_asset_check_keys:
        if check_key.name in results:
            yield check_of(check_key, results[check_key.name])


def _shown(warehouse: AppContext, candidate: Build, built: list[BuiltNode]) -> dict[dg.AssetKey, dict[str, Any]]:
    """What there is to tell of each model: its columns and where they come from, rows, how long it took, a few rows."""
    marts, tables, lineage = (
        built_marts(warehouse.paths),
        built_tables(warehouse.paths),
        column_lineage(warehouse.paths),
    )
    keys = metadata.keys_of_models(_MANIFEST)
    seconds = {node.unique_id: node.seconds for node in built}
    shown: dict[dg.AssetKey, dict[str, Any]] = {}
    for name, node in _NODES.items():
        # DuckDB knows all there is of a build; of one on Spark it has no views, and nothing of what a run touches.
        table = tables.get(node["alias"])
        if table is None:
            continue
        told = shown[_ASSETS[name]] = {
            "build_id": candidate.build_id,
            metadata.COLUMN_SCHEMA: metadata.model_schema(node, table.types, keys.get(name, ())),
        }
        if table.rows is not None:
            told[metadata.ROW_COUNT] = table.rows
        if table.touched is not None:
            told["rows_touched"] = table.touched
        if name in seconds:
            told["seconds"] = seconds[name]
        if lineage.get(name):
            told[metadata.COLUMN_LINEAGE] = metadata.model_lineage(lineage[name], _ASSETS)
            told["columns_from"] = dg.MetadataValue.md(metadata.lineage_to_read(lineage[name], _ASSETS))
        if node["name"] in marts:
            told["preview"] = dg.MetadataValue.md(marts[node["name"]].preview)
    return shown


def check_of(key: dg.AssetCheckKey, result: CheckResult) -> dg.AssetCheckResult:
    """A recorded result as Dagster shows it: what was found, how many rows were looked at and failed, and which."""
    severity = dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN
    told: dict[str, Any] = {"found": result.detail} if result.detail else {}
    for name in ("checked_rows", "failing_rows"):
        counts = [count for rule in result.rules if (count := getattr(rule, name)) is not None]
        if counts:
            told[name] = max(counts)
    failed = [rule for rule in result.rules if not rule.passed]
    if failed:
        told["failed_rules"] = dg.MetadataValue.json(
            [
                {
                    "expected": rule.description,
                    "checked_rows": rule.checked_rows,
                    "failing_rows": rule.failing_rows,
                    "keys": [dict(keys) for keys in rule.example_keys],
                }
                for rule in failed
            ]
        )
    return dg.AssetCheckResult(
        asset_key=key.asset_key, check_name=key.name, passed=result.passed, severity=severity, metadata=told
    )
