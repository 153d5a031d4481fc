"""The commands of `sendmart`, a module each subject: arguments in, stages run, an exit code out.

`orchestration.cli` puts them together. Not here: what a stage does (`orchestration.stages`), how results are worded
(`orchestration.telling`).
"""
