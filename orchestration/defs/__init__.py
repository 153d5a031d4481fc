"""The Dagster definitions, a module for each stage of a refresh: logs, build, audit, publication, exports. Jobs and sensors
have modules of their own.

An asset or op calls a function of `orchestration.stages` and reports its result to Dagster. Importing a module computes
nothing but definitions: settings and the dbt manifest are read by the functions decorated with `@dg.definitions`.

Not here: the work of a stage (`orchestration.stages`), what Dagster shows of an asset (`orchestration.metadata`).
"""
