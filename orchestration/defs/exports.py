"""The CSV exports: an asset a report, from the published marts; and the pruning of old ones.

Not here: how a CSV is written and what may be deleted (`warehouse.exports`).
"""

from collections.abc import Iterator

import dagster as dg

from models.marts import description
from orchestration import stages
from orchestration.defs.common import OWNERS, POOL, tried_again
from orchestration.defs.publication import PUBLISHED_MARTS
from orchestration.resources import WarehouseResource
from warehouse.exports import REPORTS, Unchanged


class ExportConfig(dg.Config):
    """`only_new` passes over a report that was exported from the published build before; `all_campaigns` writes every
    campaign of a contact-level report, not only those that changed since the last export.
    """

    only_new: bool = False
    all_campaigns: bool = False


def _asset_of(report: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=report,
        key_prefix="exports",
        deps=[PUBLISHED_MARTS],
        group_name="exports",
        owners=OWNERS,
        pool=POOL,
        kinds={"csv"},
        output_required=False,
        description=f"CSV of the published mart. {description(report)}",
    )
    @tried_again
    def export(config: ExportConfig, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult]:
        opened = warehouse.open()
        if config.only_new and report not in stages.unexported(opened):
            return
        for told in stages.export(opened, [report], all_campaigns=config.all_campaigns):
            if isinstance(told, Unchanged):
                yield dg.MaterializeResult(metadata={"holds": stages.in_words(told)})
                continue
            yield dg.MaterializeResult(
                metadata={
                    "holds": stages.in_words(told),
                    "path": dg.MetadataValue.path(str(opened.paths.exports / report / told.file)),
                    "dagster/row_count": told.rows,
                    "sha256": told.sha256,
                    "build_id": told.build_id,
                }
            )

    return export


@dg.asset(
    key=dg.AssetKey(["exports", "pruned"]),
    group_name="exports",
    owners=OWNERS,
    pool=POOL,
    kinds={"csv"},
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS, by the moment in their name.",
)
@tried_again
def pruned(warehouse: WarehouseResource) -> dg.MaterializeResult:
    deleted = stages.prune_exports(warehouse.open())
    return dg.MaterializeResult(metadata={"deleted": len(deleted), "files": ", ".join(deleted[:50]) or "none"})


@dg.definitions
def exports() -> dg.Definitions:
    return dg.Definitions(assets=[*(_asset_of(report) for report in REPORTS), pruned])
