"""The audit of the candidate: contracts and expectations, each a check of its mart. A failed check does not stop the run.

Not here: what the audit checks (`quality.audit`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

import models.contracts
import models.insights
import models.marts
import quality.audit
from models.marts import dbt_marts
from orchestration import metadata, stages
from orchestration.dagster_internals import CHECKS_OF_OTHER_ASSETS
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from quality.audit import KINDS
from warehouse.config.settings import Settings, load_settings

AUDIT = dg.AssetKey(["audit", "candidate_audit"])
DESCRIPTIONS = {
    "contract": "Columns, types, keys and values of the mart's contract (pandera). A failure holds the build back.",
    "volumes": "Volumes and rates lie within their usual limits (Great Expectations). A failure is a warning.",
    "history": "Volumes, rates and freshness are in line with earlier published builds (Great Expectations). A failure is"
    " a warning.",
}


def checks(assets: Mapping[str, dg.AssetKey]) -> dict[str, dg.AssetCheckSpec]:
    """The check of each result of the audit, by the result's name: on the page of its mart, named for its kind. `assets`: by
    mart.
    """
    return {
        f"{kind}_{mart}": dg.AssetCheckSpec(kind, asset=asset, description=DESCRIPTIONS[kind])
        for mart, asset in assets.items()
        for kind in KINDS
    }


def mart_assets(settings: Settings) -> dict[str, dg.AssetKey]:
    """The assets of the marts that dbt computes, by mart."""
    marts = dbt_marts(insights=settings.insights)
    return {name: dg.AssetKey([mart.schema, name]) for name, mart in marts.items()}


@dg.definitions
def audit() -> dg.Definitions:
    assets = mart_assets(load_settings())
    checks_by_result = checks(assets)

    @dg.multi_asset(
        name="audit__candidate_audit",
        specs=[
            dg.AssetSpec(
                AUDIT,
                deps=assets.values(),
                group_name="audit",
                owners=OWNERS,
                kinds={"pandera", "greatexpectations"},
                tags=metadata.tags("audit", ()),
                code_version=metadata.code_version(quality.audit, models.marts, models.insights, models.contracts),
                description="Checks the candidate's marts against their contracts (pandera) and the usual ranges of their"
                " metrics (Great Expectations), and writes the audit page. Each result is a check of its mart. A broken"
                " contract holds the build back; an unusual metric is a warning.",
            )
        ],
        check_specs=list(checks_by_result.values()),
        can_subset=True,
        pool=POOL,
        **CHECKS_OF_OTHER_ASSETS,
    )
    @retry_transient
    def candidate_audit(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[Any]:
        opened = warehouse.open()
        candidate, results = stages.audit_candidate(opened)
        if AUDIT in context.selected_asset_keys:
            failed = [result.name for result in results if not result.passed]
            facts: dict[str, Any] = {
                "build_id": candidate.build_id,
                "checks": len(results),
                "checks_failed": len(failed),
                "failed": ", ".join(failed) or "none",
            }
            if page := stages.audit_page_of(opened):
                facts["page"] = dg.MetadataValue.path(str(page))
            yield dg.MaterializeResult(asset_key=AUDIT, metadata=facts)
        for result in results:
            check_key = checks_by_result[result.name].key
            if check_key in context.selected_asset_check_keys:
                yield metadata.check_result(check_key, result)

    return dg.Definitions(assets=[candidate_audit])
