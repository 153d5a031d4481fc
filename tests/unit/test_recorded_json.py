"""JSON files of the data folder that were replaced by something else: read as damaged, or as if they were missing.

Not here: `current.json` (`test_kept_builds`), descriptions of exports (`test_exports`), the tombstones' copy
(`tests/pipeline/test_ledger_loss.py`).
"""

import os
from pathlib import Path

import pytest

from warehouse.config.paths import DataPaths
from warehouse.storage import read_json_object
from warehouse.transform.compiled_sql import column_lineage, record_column_lineage

OTHER_SHAPES = [b"", b"\xff", b"{", b"null", b"7", b"[]", b'"text"', pytest.param(b"[" * 200_000, id="deeply nested")]
OTHER_LINEAGES = [
    b"{%s}" % entry
    for entry in (
        b'"a": 1',
        b'"a": []',
        b'"a": {"b": "c"}',
        b'"a": {"b": [1]}',
        b'"a": {"b": [[null]]}',
        b'"a": {"b": [["c"]]}',
    )
]


@pytest.mark.parametrize("content", OTHER_SHAPES)
def test_a_file_that_holds_no_json_object_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(ValueError):  # of the decoder or of `read_json_object`
        read_json_object(file)


def test_a_folder_or_pipe_in_place_of_a_json_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(ValueError, match="not a regular file"):
            read_json_object(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "missing")


@pytest.mark.parametrize("content", [*OTHER_SHAPES, *OTHER_LINEAGES])
def test_a_column_lineage_of_another_shape_is_none_and_is_written_again(tmp_path: Path, content: bytes) -> None:
    paths = DataPaths(tmp_path)
    paths.dbt_target.mkdir(parents=True)
    paths.column_lineage.write_bytes(content)
    assert column_lineage(paths) == {}
    record_column_lineage(paths, {"nodes": {}}, {})
    assert read_json_object(paths.column_lineage) == {}


def test_a_folder_in_place_of_the_column_lineage_is_no_lineage(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.column_lineage.mkdir(parents=True)
    assert column_lineage(paths) == {}
