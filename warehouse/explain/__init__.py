"""Explains a figure: the rows, files and rules behind it.

Not here: how an explanation is printed (`orchestration.cli.output.explanations`).
"""
