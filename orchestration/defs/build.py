"""The dbt models, seeds and tests as Dagster assets and checks, with their lineage from the raw logs.

One step builds the models and then runs the tests, in this process, so that a failed test still leaves a whole candidate
to look at. Where the candidate at hand is what a build would give, and was published, there is nothing to do and
everything after it is passed over.

Not here: the models (`dbt_project/`), how dbt is run (`warehouse.dbt`).
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from models.checks import CheckResult
from orchestration import stages
from orchestration.defs.common import OWNERS, POOL, tried_again
from orchestration.resources import WarehouseResource
from warehouse.build import built_marts
from warehouse.dbt import dbt_manifest
from warehouse.settings import load_settings


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


def _manifest() -> Path:
    opened = stages.Warehouse.of(load_settings())
    return dbt_manifest(opened.settings, opened.paths)


# The lake and its changes are one asset to Dagster.
_TRANSLATOR = Translator(settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))


@dbt_assets(manifest=_manifest(), name="build", dagster_dbt_translator=_TRANSLATOR, pool=POOL)
@tried_again
def dbt_build(context: dg.AssetExecutionContext, config: BuildConfig, warehouse: WarehouseResource) -> Iterator[Any]:
    opened = warehouse.open()
    candidate = opened.ledger.candidate()
    seconds: dict[str, float] = {}
    if config.full_refresh or not stages.is_built(opened):
        candidate, nodes = stages.build_candidate(opened, full_refresh=config.full_refresh)
        seconds = {node.name: node.seconds for node in nodes}
    elif candidate is not None and stages.is_published(opened, candidate):
        context.log.info("the published build %s is up to date: nothing to build", candidate.build_id)
        return
    marts = built_marts(opened.paths)
    # Dagster wants to hear of an asset after those it depends on.
    for key in TopologicalSorter(context.assets_def.asset_deps).static_order():
        if key not in context.selected_asset_keys:
            continue
        name = key.path[-1]
        metadata: dict[str, Any] = {"build_id": candidate.build_id}
        if name in marts:
            metadata |= {"dagster/row_count": marts[name].rows, "preview": dg.MetadataValue.md(marts[name].preview)}
        if name in seconds:
            metadata["seconds"] = seconds[name]
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    results = {result.name: result for result in stages.test_candidate(opened).values()}
    for check_key in context.selected_asset_check_keys:
        if check_key.name in results:
            yield check_of(check_key, results[check_key.name])


def check_of(key: dg.AssetCheckKey, result: CheckResult) -> dg.AssetCheckResult:
    """A recorded result as Dagster shows it: what was found, how many rows were looked at and failed, and which."""
    severity = dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {"found": result.detail} if result.detail else {}
    for name in ("looked_at", "failing"):
        counts = [count for rule in result.rules if (count := getattr(rule, name)) is not None]
        if counts:
            metadata[f"rows_{name}"] = max(counts)
    failed = [rule for rule in result.rules if not rule.passed]
    if failed:
        metadata["failed_rules"] = dg.MetadataValue.json(
            [
                {
                    "expected": rule.says,
                    "rows_looked_at": rule.looked_at,
                    "rows_failing": rule.failing,
                    "keys": [dict(keys) for keys in rule.keys],
                }
                for rule in failed
            ]
        )
    return dg.AssetCheckResult(
        asset_key=key.asset_key, check_name=key.name, passed=result.passed, severity=severity, metadata=metadata
    )
