"""Publication of a build: the published file, kept builds and rollback, masking, the pointer, build diffs, audit pages.

Not here: whether a build may be published (`quality.gate`), exports of it (`warehouse.export`).
"""

from warehouse.publish.audit_pages import page_path, prune_pages, write_page
from warehouse.publish.build_diff import BuildDiff, MartChange, MetricChange, compare, open_builds
from warehouse.publish.build_info import BuildInfo, read_build_info
from warehouse.publish.diff_summary import DiffSummary, format_change, format_number, summarize
from warehouse.publish.kept_builds import BuildNotFound, KeptBuilds
from warehouse.publish.masking import is_masked
from warehouse.publish.pointer import upload_files
from warehouse.publish.publication import (
    SparkTables,
    is_published,
    publish,
    published_build,
    recover_publication,
    replace_uploaded_files,
    rollback,
)
from warehouse.publish.row_digests import row_digests_sql

__all__ = [
    "BuildDiff",
    "BuildInfo",
    "BuildNotFound",
    "DiffSummary",
    "KeptBuilds",
    "MartChange",
    "MetricChange",
    "SparkTables",
    "compare",
    "format_change",
    "format_number",
    "is_masked",
    "is_published",
    "open_builds",
    "page_path",
    "prune_pages",
    "publish",
    "published_build",
    "read_build_info",
    "recover_publication",
    "replace_uploaded_files",
    "rollback",
    "row_digests_sql",
    "summarize",
    "upload_files",
    "write_page",
]
