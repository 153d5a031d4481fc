"""The commands of `sendmart`, one module each: read the arguments, run stages, set the exit code.

`orchestration.cli.main` puts them together. Not here: what a stage does (`orchestration.stages`), how results are printed
(`orchestration.cli.output`).
"""
