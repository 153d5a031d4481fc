"""The published marts: the candidate replaces them in one step, or the step fails if the release gate holds it back.

Not here: the decision (`quality.gate`), the replacement (`warehouse.publish.publication`).
"""

from typing import Any

import dagster as dg

import models.contracts
import models.insights
import models.marts
import warehouse.publish
from models.marts import MARTS, columns
from orchestration import metadata, stages
from orchestration.defs.audit import AUDIT
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource

PUBLISHED_MARTS = dg.AssetKey(["published", "marts"])

MAX_PROBLEMS_SHOWN = 50


@dg.definitions
def publication() -> dg.Definitions:
    @dg.asset(
        key=PUBLISHED_MARTS,
        deps=[AUDIT],
        group_name="published",
        owners=OWNERS,
        pool=POOL,
        kinds={"duckdb"},
        tags=metadata.tags("published", (column.name for mart in MARTS for column in columns(mart))),
        code_version=metadata.code_version(warehouse.publish, models.marts, models.insights, models.contracts),
        description="The published DuckDB file, for analysts' queries and for the exports. The candidate replaces it in one"
        " step, and only if every blocking check of the build was run and passed.",
    )
    @retry_transient
    def published_marts(warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
        opened = warehouse.open()
        # The lock keeps the candidate the same from the decision to the publication.
        with opened.paths.writer_lock():
            candidate = opened.ledger.candidate()
            if candidate is None:
                raise dg.Failure("there is no complete candidate to publish; run the refresh job")
            gate_result = stages.evaluate_gate(opened)
            if not gate_result.may_publish:
                problems = enumerate(gate_result.blocking_problems[:MAX_PROBLEMS_SHOWN], start=1)
                raise dg.Failure(
                    description=f"build {candidate.build_id} is held back; the published build stays. See: sendmart status",
                    metadata={f"{number}. {problem.code}": str(problem) for number, problem in problems},
                    allow_retries=False,
                )
            published_at, summary = stages.publish_candidate(opened, candidate)
        facts: dict[str, Any] = {
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
            facts["audit page"] = dg.MetadataValue.path(str(page))
        if summary:
            facts["what changed"] = summary.describe()
            facts["largest changes"] = dg.MetadataValue.md(summary.largest_changes)
            facts["warnings of the diff"] = "\n".join(summary.warnings) or "none"
        if gate_result.overridden:
            facts["overridden"] = "\n".join(str(problem) for problem in gate_result.overridden)
            facts["override_reason"] = opened.ledger.overrides(candidate.build_id)[-1].reason
        return dg.MaterializeResult(metadata=facts)

    return dg.Definitions(assets=[published_marts])
