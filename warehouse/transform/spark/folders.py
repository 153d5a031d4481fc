"""The folders of Spark's builds, and what they say: which builds there are, which one readers see.

Not here: Spark's catalogue (`session` runs the macros that change it).
"""

import re
from pathlib import Path

from warehouse.config import DataPaths
from warehouse.storage import atomic_replace

_BUILD_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")


def folder_of_build(paths: DataPaths, build_id: str) -> Path:
    """The folder with the Parquet files of a build."""
    return paths.spark_builds / build_id


def work_folder(paths: DataPaths, build_id: str) -> Path:
    """The tables that are needed until the build is published."""
    return folder_of_build(paths, build_id) / "work"


def marts_folder(paths: DataPaths, build_id: str) -> Path:
    """The tables that are published."""
    return folder_of_build(paths, build_id) / "marts"


def erasure_marker(paths: DataPaths, build_id: str) -> Path:
    """The file that says that a build holds rows of an erased contact."""
    return folder_of_build(paths, build_id) / "holds-erased"


def build_ids(paths: DataPaths) -> list[str]:
    """The builds that have a folder, the earliest first."""
    return sorted(folder.name for folder in paths.spark_builds.glob("*") if _BUILD_ID.fullmatch(folder.name))


def table_names(folder: Path) -> list[str]:
    """The tables in a folder that Spark has written completely, sorted."""
    return sorted(table.name for table in folder.iterdir() if (table / "_SUCCESS").exists()) if folder.is_dir() else []


def is_complete(paths: DataPaths, build_id: str) -> bool:
    """Whether both folders of a build are there; their files are not read."""
    return work_folder(paths, build_id).is_dir() and marts_folder(paths, build_id).is_dir()


def has_marts(paths: DataPaths, build_id: str) -> bool:
    """Whether the marts of a build are still there, so that it can be published again."""
    return bool(table_names(marts_folder(paths, build_id)))


def is_published(paths: DataPaths, build_id: str) -> bool:
    """Whether readers of Spark see a build, as recorded by the last publication."""
    try:
        return paths.spark_published.read_text(encoding="utf-8") == build_id
    except FileNotFoundError:
        return False


def record_published(paths: DataPaths, build_id: str) -> None:
    """Records that readers of Spark see a build."""
    temp_path = paths.spark_published.with_name(f".{paths.spark_published.name}.tmp")
    temp_path.write_text(build_id, encoding="utf-8")
    atomic_replace(temp_path, paths.spark_published)
