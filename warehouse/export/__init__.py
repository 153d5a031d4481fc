"""Exports of published marts as CSV and XLSX, and which campaigns changed since the last export.

Not here: the CSV that a report page shows (`reports.csv_download`), the stage that exports (`orchestration.stages.export`).
"""

from warehouse.export.csv_stream import BLOCK_BYTES, PIPE, csv_blocks, write_blocks
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
from warehouse.export.layout import BYTE_ORDER_MARK, Header, Layout, read_header
from warehouse.export.report_sql import (
    CAMPAIGN_REPORT_COLUMNS,
    REPORT_ORDERS,
    ExportRefused,
    ReportQuery,
    RowSelection,
    copy_to_csv_sql,
    csv_options,
    has_phone_numbers,
    value_sql,
)

__all__ = [
    "BLOCK_BYTES",
    "BYTE_ORDER_MARK",
    "CAMPAIGN_REPORT_COLUMNS",
    "ON_REQUEST",
    "PIPE",
    "REPORTS",
    "REPORT_ORDERS",
    "Export",
    "ExportRefused",
    "FileFormat",
    "Header",
    "Layout",
    "NothingPublished",
    "ReportQuery",
    "RowSelection",
    "Unchanged",
    "campaign_hash",
    "copy_to_csv_sql",
    "csv_blocks",
    "csv_options",
    "export_time",
    "has_campaigns",
    "has_phone_numbers",
    "read_description",
    "read_header",
    "unmark_sql",
    "value_sql",
    "write_blocks",
    "write_description",
]
