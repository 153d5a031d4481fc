"""The audit of the candidate: mart contracts and expectations, each an asset check.

The checks never stop the run: they are recorded, and the gate decides.

Not here: what is checked (`quality.audit`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

import models.marts
import quality.audit
from models.marts import DBT_MARTS
from orchestration import metadata, stages
from orchestration.defs.build import check_of
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from quality.audit import expected_checks

AUDIT = dg.AssetKey(["audit", "candidate_audit"])
MEANINGS = {
    "contract": "Columns, types, keys and row rules of the mart's contract. A failure holds publication back, at the gate.",
    "volumes": "Volumes and rates that are seldom out of this range. A failure warns.",
    "history": "Volumes, rates and freshness beside those of the builds published before. A failure warns.",
}
MARTS = [dg.AssetKey(["marts", mart]) for mart in DBT_MARTS]


@dg.asset(
    key=AUDIT,
    deps=MARTS,
    group_name="audit",
    owners=OWNERS,
    pool=POOL,
    kinds={"pandera", "greatexpectations"},
    tags=metadata.tags("audit", ()),
    code_version=metadata.code_version(quality.audit, models.marts),
    description="Checks the candidate's marts against their contracts (pandera) and the usual ranges of their metrics (Great"
    " Expectations). A broken contract blocks publication; an unusual metric warns.",
    check_specs=[
        dg.AssetCheckSpec(name, asset=AUDIT, description=MEANINGS[name.partition("_")[0]])
        for name in sorted(expected_checks())
    ],
)
@retry_transient
def candidate_audit(warehouse: WarehouseResource) -> Iterator[Any]:
    opened = warehouse.open()
    results = stages.audit_candidate(opened)
    failed = [result.name for result in results if not result.passed]
    told: dict[str, Any] = {
        "build_id": opened.ledger.candidate().build_id,
        "checks": len(results),
        "checks_failed": len(failed),
        "failed": ", ".join(failed) or "none",
    }
    if page := stages.audit_page_of(opened):
        told["page"] = dg.MetadataValue.path(str(page))
    yield dg.MaterializeResult(metadata=told)
    for result in results:
        yield check_of(dg.AssetCheckKey(AUDIT, result.name), result)
