"""The second engine: the models of a build as tables of Apache Spark, in this process's session or on a cluster (Thrift).

Every worker reads and writes `spark/builds/<build id>/`, plain Parquet: in `work/` what is needed until publication, in
`marts/` what is published. In Spark's catalogue these are the schemas `sendmart_<build>_work` and `_marts`, with the lake in
`_lake`. The candidate's DuckDB files hold views on them. A publication points the views of SENDMART_SPARK_SCHEMA at a build
in one step.

Not here: the models and their SQL for Spark (`dbt_project/`), what a candidate is (`warehouse.transform.build`).
"""
