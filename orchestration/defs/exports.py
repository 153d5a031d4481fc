"""The exports: an asset a report, from the published marts; and the pruning of old ones.

A report that is only exported when somebody asks for it is in a group of its own, which no job runs.

Not here: how an export is written and what may be deleted (`warehouse.export.exports`).
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

import warehouse.export
from models.marts import columns, description
from orchestration import metadata, stages
from orchestration.defs.publication import PUBLISHED_MARTS
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from warehouse.export.exports import ON_REQUEST, REPORTS, FileFormat, Unchanged

GROUP, GROUP_ON_REQUEST = "exports", "exports_on_request"

_CODE = metadata.code_version(warehouse.export)


class ExportConfig(dg.Config):
    """`skip_if_exported` passes over a report that was exported from the published build before; `all_campaigns` writes every
    campaign of a contact-level report, not only those that changed since the last export. With `campaign`, the id of one,
    or with `format` xlsx, it is a copy apart from those.
    """

    skip_if_exported: bool = False
    all_campaigns: bool = False
    campaign: str | None = None
    format: str = Field(FileFormat.CSV.value, pattern=f"^({'|'.join(FileFormat)})$")


def _asset_of(report: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=report,
        key_prefix="exports",
        deps=[PUBLISHED_MARTS],
        group_name=GROUP if report in REPORTS else GROUP_ON_REQUEST,
        owners=OWNERS,
        pool=POOL,
        kinds={"csv"},
        tags=metadata.tags("exports", (column.name for column in columns(report))),
        code_version=_CODE,
        metadata={metadata.COLUMN_SCHEMA: metadata.mart_schema(report)},
        output_required=False,
        description=f"CSV or spreadsheet of the published mart. {description(report)}",
    )
    @retry_transient
    def export(config: ExportConfig, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult]:
        opened = warehouse.open()
        if config.skip_if_exported and report not in stages.unexported(opened):
            return
        for told in stages.export_reports(
            opened,
            [report],
            all_campaigns=config.all_campaigns,
            campaign=config.campaign,
            file_format=FileFormat(config.format),
        ):
            if isinstance(told, Unchanged):
                yield dg.MaterializeResult(metadata={"holds": stages.describe(told)})
                continue
            path = opened.paths.exports / report / told.file
            shown = {
                "holds": stages.describe(told),
                "path": dg.MetadataValue.path(str(path)),
                "bytes": path.stat().st_size,
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
    group_name=GROUP,
    owners=OWNERS,
    pool=POOL,
    kinds={"csv"},
    tags=metadata.tags("exports", ()),
    code_version=_CODE,
    description="Deletes exports older than SENDMART_EXPORT_RETENTION_DAYS, by the moment in their name.",
)
@retry_transient
def pruned(warehouse: WarehouseResource) -> dg.MaterializeResult:
    deleted = stages.prune_exports(warehouse.open())
    return dg.MaterializeResult(metadata={"deleted": len(deleted), "files": ", ".join(deleted[:50]) or "none"})


@dg.definitions
def exports() -> dg.Definitions:
    return dg.Definitions(assets=[*(_asset_of(report) for report in ON_REQUEST), pruned])
