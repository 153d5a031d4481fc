"""The dbt models, seeds and tests as Dagster assets and checks. One step builds the models and then runs the tests: after a
failed test the candidate is complete. If the published build is up to date, it yields nothing, and Dagster skips the rest.

Not here: the models (`dbt_project/`), how dbt is run (`warehouse.transform.dbt_runner`).
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration import metadata, stages
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings
from warehouse.transform.candidate import built_tables
from warehouse.transform.compiled_sql import column_lineage
from warehouse.transform.dbt_runner import DBT_PROJECT, dbt_manifest
from warehouse.transform.fingerprints import code_fingerprint


class BuildConfig(dg.Config):
    """`full_refresh` builds all models from scratch, even if the candidate is up to date."""

    full_refresh: bool = False


class Translator(DagsterDbtTranslator):
    """How a dbt node appears in Dagster: its folder is its group, and a source is the asset of its log."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return str(dbt_resource_props["fqn"][1])

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["logs", dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_asset_check_spec(self, *args: Any, **kwargs: Any) -> dg.AssetCheckSpec | None:
        # A blocking check would end the run before the audit. Only the release gate blocks.
        spec = super().get_asset_check_spec(*args, **kwargs)
        return spec and spec._replace(blocking=False)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # dagster-dbt would append the SQL, which hides the text. The code reference leads to the SQL.
        return str(dbt_resource_props["description"])

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return metadata.tags(self.get_group_name(dbt_resource_props), dbt_resource_props["columns"])

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        # dagster-dbt also asks for sources, which have no code.
        return code_fingerprint(dbt_resource_props)[:16] if "checksum" in dbt_resource_props else None

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        code = dg.LocalFileCodeReference(file_path=str(DBT_PROJECT / dbt_resource_props["original_file_path"]))
        return {
            **super().get_metadata(dbt_resource_props),
            metadata.COLUMN_SCHEMA: metadata.model_schema(dbt_resource_props),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[code]),
        }


@dg.definitions
def build() -> dg.Definitions:
    context = AppContext.of(load_settings())
    manifest = dbt_manifest(context.settings, context.paths)
    # The lake and the change feed of a log are two sources of dbt and one asset of Dagster.
    translator = Translator(settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    @dbt_assets(manifest=manifest, name="build", dagster_dbt_translator=translator, pool=POOL)
    @retry_transient
    def dbt_build(
        context: dg.AssetExecutionContext, config: BuildConfig, warehouse: WarehouseResource
    ) -> Iterator[Any]:
        opened = warehouse.open()
        if not opened.has_files():
            context.log.info("nothing to build: no log file has been loaded")
            return
        candidate = opened.ledger.candidate()
        seconds: dict[str, float] = {}
        if candidate is None or config.full_refresh or not stages.is_built(opened):
            candidate, seconds = stages.build_candidate(opened, full_refresh=config.full_refresh)
        elif context.selected_asset_keys and stages.is_published(opened, candidate):
            context.log.info("nothing to build: the published build %s is up to date", candidate.build_id)
            return
        results = {result.name: result for result in stages.test_candidate(opened).values()}
        # After the tests, which count the rows that the build changed.
        facts = _facts_by_asset(opened, candidate.build_id, seconds, manifest, translator)
        # Dagster expects each asset after its upstream assets.
        for key in TopologicalSorter(context.assets_def.asset_deps).static_order():
            if key in context.selected_asset_keys & facts.keys():
                yield dg.MaterializeResult(asset_key=key, metadata=facts[key])
        for check_key in context.selected_asset_check_keys:
            if check_key.name in results:
                yield metadata.check_result(check_key, results[check_key.name])

    return dg.Definitions(assets=[dbt_build])


def _facts_by_asset(
    context: AppContext,
    build_id: str,
    seconds: Mapping[str, float],
    manifest: Mapping[str, Any],
    translator: Translator,
) -> dict[dg.AssetKey, dict[str, Any]]:
    """The metadata of each built model. `seconds` are by the unique ids of the models of this run."""
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
    keys = {name: translator.get_asset_key(node) for name, node in {**models, **manifest["sources"]}.items()}
    unique_keys = metadata.unique_keys(manifest)
    tables, lineage = built_tables(context.paths), column_lineage(context.paths)
    facts_by_asset: dict[dg.AssetKey, dict[str, Any]] = {}
    for name, node in models.items():
        # A build on Spark leaves no views in DuckDB and none of the models of one run.
        table = tables.get(node["alias"])
        if table is None:
            continue
        columns = lineage.get(name) or None
        facts = {
            "build_id": build_id,
            metadata.COLUMN_SCHEMA: metadata.model_schema(node, table.types, unique_keys.get(name, ())),
            metadata.ROW_COUNT: table.rows,
            "rows_changed": table.changed_rows,
            "seconds": seconds.get(name),
            metadata.COLUMN_LINEAGE: columns and metadata.model_lineage(columns, keys),
            "columns_from": columns and dg.MetadataValue.md(metadata.lineage_table(columns, keys)),
            "preview": table.preview and dg.MetadataValue.md(table.preview),
        }
        facts_by_asset[keys[name]] = {key: fact for key, fact in facts.items() if fact is not None}
    return facts_by_asset
