"""Orchestration: what runs, in which order, when, and how it is started; the Dagster project and the command line.

`defs/` holds the Dagster definitions by stage of the flow, `stages` what a stage does without Dagster, `cli` the command
`sendmart`. Wiring, not logic: rules live in `models/` and `quality/`, work on files in `warehouse/`.

Nothing imports this package.
"""
