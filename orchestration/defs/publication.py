"""The published marts: the candidate, swapped in whole when the gate lets it pass.

A candidate that is held back fails the step, so that somebody is told; what was published before stays as it was.

Not here: the decision (`quality.gate`), the swap (`warehouse.publish.publication`).
"""

from typing import Any

import dagster as dg

import models.marts
import warehouse.publish
from models.marts import MARTS, columns
from orchestration import metadata, stages
from orchestration.defs.audit import AUDIT
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource

PUBLISHED_MARTS = dg.AssetKey(["published", "marts"])


@dg.asset(
    key=PUBLISHED_MARTS,
    deps=[AUDIT],
    group_name="published",
    owners=OWNERS,
    pool=POOL,
    kinds={"duckdb"},
    tags=metadata.tags("published", (column.name for mart in MARTS for column in columns(mart))),
    code_version=metadata.code_version(warehouse.publish, models.marts),
    description="published/sendmart.duckdb: what analysts query and exports are made from. Swapped in whole, and only"
    " when every blocking check of the build was carried out and holds.",
)
@retry_transient
def published_marts(warehouse: WarehouseResource) -> dg.MaterializeResult:
    opened = warehouse.open()
    # What is decided on is what is published: nobody may build in between.
    with opened.paths.writer_lock():
        candidate = opened.ledger.candidate()
        if candidate is None:
            raise dg.Failure("there is no whole candidate to publish; run the refresh job")
        gate_result = stages.evaluate_gate(opened)
        if not gate_result.may_publish:
            raise dg.Failure(
                description=f"build {candidate.build_id} is held back; what was published before stays",
                metadata={
                    f"{place}. {problem.code}": str(problem)
                    for place, problem in enumerate(gate_result.blocking_problems[:50], start=1)
                },
                allow_retries=False,
            )
        published_at, summary = stages.publish_candidate(opened, candidate)
    told: dict[str, Any] = {
        "build_id": candidate.build_id,
        "published_at": dg.MetadataValue.timestamp(published_at),
        "data_until": str(candidate.data_until),
        "path": dg.MetadataValue.path(str(opened.paths.published_marts)),
        "bytes": opened.paths.published_marts.stat().st_size,
        "warnings": len(gate_result.warnings),
        "overridden_problems": len(gate_result.overridden),
        "exports": dg.MetadataValue.path(str(opened.paths.exports)),
    }
    if page := stages.audit_page_of(opened):
        told["audit page"] = dg.MetadataValue.path(str(page))
    if summary:
        told["what changed"] = summary.describe()
        told["largest moves"] = dg.MetadataValue.md(summary.largest_moves)
        told["large moves of settled figures"] = "\n".join(summary.warnings) or "none"
    if gate_result.overridden:
        told["overridden"] = "\n".join(str(problem) for problem in gate_result.overridden)
        told["override_reason"] = opened.ledger.overrides(candidate.build_id)[-1].reason
    return dg.MaterializeResult(metadata=told)
