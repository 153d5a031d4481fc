"""What lies on disk and how it is read and written: from the landing zone to published builds and exports.

Each folder is a room with one subject. Imports point down, in the order that `[tool.importlinter]` in pyproject.toml states.
Not here: the data contracts (`models/`), the checks of rows and builds (`quality/`), Dagster (`orchestration/`).
"""
