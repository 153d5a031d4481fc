"""The Dagster definitions, one module a stage of the flow: logs, build, audit, publication, exports; and what runs them.

An asset here calls a function of `orchestration.stages` and tells Dagster what came of it. Logic does not belong here.
"""
