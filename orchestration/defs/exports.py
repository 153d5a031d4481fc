"""The CSV exports: an asset a report, from the published marts; and the pruning of old ones.

Not here: how a CSV is written and what may be deleted (`warehouse.exports`).
"""

from collections.abc import Iterator

import dagster as dg

from models.marts import columns, description
from orchestration import metadata, stages
from orchestration.defs.common import OWNERS, POOL, tried_again
from orchestration.defs.publication import PUBLISHED_MARTS
from orchestration.resources import WarehouseResource
from warehouse.exports import REPORTS, Unchanged

_CODE = metadata.code_version("warehouse/exports.py", "warehouse/export_scope.py")


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
        tags=metadata.tags("exports", (column.name for column in columns(report))),
        code_version=_CODE,
        metadata={metadata.COLUMN_SCHEMA: metadata.mart_schema(report)},
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
            place = opened.paths.exports / report / told.file
            shown = {
                "holds": stages.in_words(told),
                "path": dg.MetadataValue.path(str(place)),
                "bytes": place.stat().st_size,
                metadata.ROW_COUNT: told.rows,
                "sha256": told.sha256,
                "build_id": told.build_id,
            }
            if told.changed_since is not None:
                shown["campaigns"] = len(told.campaigns)
            yield dg.MaterializeResult(metadata=shown)

    return export


@dg.asset(
    key=dg.AssetKey(["exports", "pruned"]),
    group_name="exports",
    owners=OWNERS,
    pool=POOL,
    kinds={"csv"},
    tags=metadata.tags("exports", ()),
    code_version=_CODE,
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS, by the moment in their name.",
)
@tried_again
def pruned(warehouse: WarehouseResource) -> dg.MaterializeResult:
    deleted = stages.prune_exports(warehouse.open())
    return dg.MaterializeResult(metadata={"deleted": len(deleted), "files": ", ".join(deleted[:50]) or "none"})


@dg.definitions
def exports() -> dg.Definitions:
    return dg.Definitions(assets=[*(_asset_of(report) for report in REPORTS), pruned])
