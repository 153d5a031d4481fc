"""Explains a figure: the rows, files and rules that made it.

Not here: how the explanation is printed (`orchestration.cli.output.explanations`).
"""
