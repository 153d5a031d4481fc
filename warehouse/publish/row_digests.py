"""Where a published build keeps the row digests of the contact-level reports: one digest per campaign.

Not here: how they are computed (`dbt_project/models/intermediate/row_digests`), what an export does with them
(`warehouse.export.exports`).
"""

import duckdb

from models.marts import CONTACT_REPORTS


def row_digests_sql(connection: duckdb.DuckDBPyConnection, database: str, report: str) -> str | None:
    """A query for the row digests of a report by campaign: `campaign_id`, `row_count`, `digest`.

    None for a report with one row per campaign, and for a build without row digests. Builds of release 0.2 keep them in
    another schema.
    """
    if report not in CONTACT_REPORTS:
        return None
    for schema, table, row_count in (
        ("internal", f"int_{report}_row_digests", "row_count"),
        ("digests", f"{report}_digested", "rows_of_campaign"),
    ):
        table_exists = "select 1 from duckdb_columns() where (database_name, schema_name, table_name) = (?, ?, ?)"
        if connection.execute(table_exists, [database, schema, table]).fetchone():
            return f"select campaign_id, {row_count} as row_count, digest from {database}.{schema}.{table}"
    return None
