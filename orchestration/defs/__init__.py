"""The Dagster definitions, a module for each stage of a refresh. Assets and ops call functions of `orchestration.stages`.
Importing a module computes nothing: functions under `@dg.definitions` read settings and manifest.

Not here: the work of a stage (`orchestration.stages`), what Dagster shows of an asset (`orchestration.metadata`).
"""
