"""Measurements: a refresh and a night beside hand-written DuckDB scripts with the same semantics, in one run.

`python -m benchmarks` writes sample logs, measures both, holds the marts of one against those of the other and prints
the figures. `README.md` says how to read it and holds the last figures.

Not here: the sample logs (`sample_data`), tests (`tests/`).
"""
