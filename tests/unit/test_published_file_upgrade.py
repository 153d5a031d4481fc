"""The published file of release 0.2 gets its new name at the first refresh, whatever interrupts the move."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_kept_builds import A, B, Builds
from warehouse.publish import pointer, upgrade
from warehouse.publish.publication import published_build, recover_publication


@pytest.fixture
def builds(tmp_path: Path, bare_environment: None) -> Builds:
    """A data folder as release 0.2 left it: build A is published as `marts.duckdb`."""
    builds = Builds(tmp_path / "data")
    builds.publish(A)
    old = builds.paths.published_marts_of_0_2
    builds.paths.published_marts.rename(old)
    builds.paths.published.joinpath(".marts.duckdb.tmp").write_bytes(b"left by a killed publication")
    old.with_name("marts.duckdb.wal").write_bytes(b"left by a reader")
    pointer.write_pointer(builds.paths)
    return builds


def _published_files(builds: Builds) -> list[str]:
    return sorted(path.name for path in builds.paths.published.iterdir() if "duckdb" in path.name)


def _announced_file(builds: Builds) -> str:
    return json.loads(builds.paths.current.read_text())["marts"]["file"]


def test_readers_use_the_old_file_until_the_first_refresh(builds: Builds) -> None:
    assert builds.paths.published_marts.name == _announced_file(builds) == "marts.duckdb"
    assert published_build(builds.paths).build_id == A


def test_the_first_refresh_moves_the_published_file_and_removes_the_old_one(builds: Builds) -> None:
    recover_publication(builds.paths, builds.ledger)
    assert _published_files(builds) == ["sendmart.duckdb"]
    assert _announced_file(builds) == "sendmart.duckdb"
    assert builds.published == A
    assert builds.file(A).samefile(builds.paths.published_marts), "the move needs no disk space"
    builds.publish(B)
    builds.rollback(A)
    assert (_published_files(builds), builds.published) == (["sendmart.duckdb"], A)


@pytest.mark.parametrize(
    ("step", "call"),
    [("replace_with_link", 1), ("write_pointer", 1), *(("unlink", call) for call in range(1, 7))],
)
def test_a_move_that_is_interrupted_before_any_step_is_completed_by_the_next(
    builds: Builds, monkeypatch: pytest.MonkeyPatch, step: str, call: int
) -> None:
    owner = {"replace_with_link": upgrade, "write_pointer": pointer, "unlink": Path}[step]
    real, calls = getattr(owner, step), 0

    def interrupted(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            recover_publication(builds.paths, builds.ledger)
    assert builds.paths.published.joinpath(_announced_file(builds)).exists()
    assert published_build(builds.paths).build_id == A
    recover_publication(builds.paths, builds.ledger)
    assert _published_files(builds) == [_announced_file(builds)] == ["sendmart.duckdb"]


def test_a_damaged_published_file_is_moved_too_and_replaced_by_the_next_publication(builds: Builds) -> None:
    builds.paths.published_marts.unlink()
    builds.paths.published_marts_of_0_2.write_bytes(b"no build")
    recover_publication(builds.paths, builds.ledger)
    assert _published_files(builds) == ["sendmart.duckdb"]
    builds.publish(B)
    assert builds.published == B
