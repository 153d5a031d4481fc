"""Exports of published marts as CSV and XLSX, and which campaigns changed since the last export.

Not here: the CSV that a report page shows (`reports.csv_download`), the stage that exports (`orchestration.stages.export`).
"""

from warehouse.export.exports import (
    ON_REQUEST,
    REPORTS,
    Export,
    FileFormat,
    NothingPublished,
    Unchanged,
    campaign_hash,
    export_time,
    has_campaigns,
    read_description,
    write_description,
)
from warehouse.export.formula_cells import unmark_sql
from warehouse.export.report_sql import (
    CAMPAIGN_REPORT_COLUMNS,
    ExportRefused,
    ReportQuery,
    copy_to_csv_sql,
    csv_options,
    has_phone_numbers,
    value_sql,
)

__all__ = [
    "CAMPAIGN_REPORT_COLUMNS",
    "ON_REQUEST",
    "REPORTS",
    "Export",
    "ExportRefused",
    "FileFormat",
    "NothingPublished",
    "ReportQuery",
    "Unchanged",
    "campaign_hash",
    "copy_to_csv_sql",
    "csv_options",
    "export_time",
    "has_campaigns",
    "has_phone_numbers",
    "read_description",
    "unmark_sql",
    "value_sql",
    "write_description",
]
