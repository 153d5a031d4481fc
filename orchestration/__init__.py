"""Orchestration: what runs, in which order, when, and how it is started. Nothing imports this package.

Not here: logic. Rules live in `models/` and `quality/`, work on files in `warehouse/`.
"""
