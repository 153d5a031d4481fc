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
