"""The exports: an asset for each report, from the published marts. Those on request are in a group that no job runs.

Not here: how an export is written (`warehouse.export.exports`), their deletion (`jobs`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

import warehouse.export
from models.marts import columns, description
from orchestration import metadata, stages
from orchestration.defs.publication import PUBLISHED_MARTS
from orchestration.defs.shared import OWNERS, POOL, retry_transient
from orchestration.resources import WarehouseResource
from warehouse.config.settings import SettingsError
from warehouse.export import ON_REQUEST, REPORTS, Export, FileFormat

GROUP, GROUP_ON_REQUEST = "exports", "exports_on_request"


class ExportConfig(dg.Config):
    """Options of `stages.export_reports`. `skip_if_exported` skips a report of the published build that was exported before."""

    skip_if_exported: bool = False
    all_campaigns: bool = False
    campaign: str | None = None
    format: str = FileFormat.CSV.value


def _file_format(text: str) -> FileFormat:
    if text not in list(FileFormat):
        raise SettingsError(f"run config: format: must be one of {', '.join(FileFormat)} (is {text!r})")
    return FileFormat(text)


def _export_asset(report: str, code_version: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=report,
        key_prefix="exports",
        deps=[PUBLISHED_MARTS],
        group_name=GROUP if report in REPORTS else GROUP_ON_REQUEST,
        owners=OWNERS,
        pool=POOL,
        kinds={"csv"},
        tags=metadata.tags("exports", (column.name for column in columns(report))),
        code_version=code_version,
        metadata={metadata.COLUMN_SCHEMA: metadata.mart_schema(report)},
        output_required=False,
        description=f"CSV or spreadsheet of the published mart. {description(report)}",
    )
    @retry_transient
    def export(config: ExportConfig, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult[Any]]:
        opened = warehouse.open()
        if config.skip_if_exported and report not in stages.reports_to_export(opened):
            return
        for result in stages.export_reports(
            opened,
            [report],
            all_campaigns=config.all_campaigns,
            campaign=config.campaign,
            file_format=_file_format(config.format),
        ):
            facts: dict[str, Any] = {"holds": stages.describe_export(result)}
            if isinstance(result, Export):
                path = opened.paths.exports / report / result.file
                facts |= {
                    "path": dg.MetadataValue.path(str(path)),
                    "bytes": path.stat().st_size,
                    metadata.ROW_COUNT: result.rows,
                    "sha256": result.sha256,
                    "build_id": result.build_id,
                }
                if result.changed_since is not None:
                    facts["campaigns"] = len(result.campaigns)
            yield dg.MaterializeResult(metadata=facts)

    return export


@dg.definitions
def exports() -> dg.Definitions:
    code_version = metadata.code_version(warehouse.export)
    return dg.Definitions(assets=[_export_asset(report, code_version) for report in ON_REQUEST])
