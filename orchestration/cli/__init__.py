"""The commands of `sendmart`, a module each subject: arguments in, stages run, an exit code out.

`orchestration.cli.main` puts them together. Not here: what a stage does (`orchestration.stages`), how results are worded
(`orchestration.cli.output.console`).
"""
