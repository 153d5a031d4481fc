"""Measurements: the stages of a refresh and a night, beside one hand-written baseline that gives the same marts.

`python -m benchmarks` writes sample logs, measures both sides, compares their marts and prints the figures. The other
modules with a command line measure one question each. `README.md` lists them, and holds the last figures.

Not here: the sample logs (`sample_data`), tests (`tests/`).
"""
