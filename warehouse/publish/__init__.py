"""Publication of a build: the published file, kept builds and rollback, masking, the pointer, build diffs, audit pages."""

from warehouse.publish.masking import is_masked
from warehouse.publish.row_digests import row_digests_sql

__all__ = ["is_masked", "row_digests_sql"]
