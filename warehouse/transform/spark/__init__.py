"""The second engine: the models of a build as tables of Apache Spark, in this process's session or on a cluster (Thrift).

Every worker of Spark can read and write the folder of a build, `spark/builds/<build id>/`. It holds plain Parquet: in
`work/` what is needed until the build is published, in `marts/` what is published. In Spark's catalogue these are the
schemas `sendmart_<build>_work` and `sendmart_<build>_marts`; the tables of the lake are in `sendmart_<build>_lake`. The two
DuckDB files of the candidate then hold views on the Parquet files, so that audit, diff and publication read a build of
either engine alike.

Readers of Spark query the views of the published schema (SENDMART_SPARK_SCHEMA). A publication points all of them at
another build in one step (`dbt_project/macros/spark_publication.sql`).

Not here: the models and their SQL for Spark (`dbt_project/`), what a candidate is (`warehouse.transform.build`).
"""

from warehouse.transform.spark.folders import has_marts, is_complete, is_published
from warehouse.transform.spark.publication import publish_build
from warehouse.transform.spark.session import is_spark, run_dbt_on_build
from warehouse.transform.spark.tables import (
    VIEW_ON_PARQUET,
    WITHOUT_THIS_RUN,
    build_models,
    create_duckdb_views,
    discard_builds,
    published_build_holds_erased,
)

__all__ = [
    "VIEW_ON_PARQUET",
    "WITHOUT_THIS_RUN",
    "build_models",
    "create_duckdb_views",
    "discard_builds",
    "has_marts",
    "is_complete",
    "is_published",
    "is_spark",
    "publish_build",
    "published_build_holds_erased",
    "run_dbt_on_build",
]
