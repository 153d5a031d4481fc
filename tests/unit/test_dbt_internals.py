"""dbt is changed where it is the release that the changes were made for: a new release needs a look at each changed name."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from dbt.parser.manifest import extended_mashumaro_encoder

from warehouse.config import PROJECT, DataPaths, Settings
from warehouse.config.settings import load_settings
from warehouse.transform import dbt_internals, dbt_runner, installed_project


def test_the_installed_dbt_is_the_release_that_the_changes_were_checked_with() -> None:
    assert version("dbt-core").startswith(f"{dbt_internals.CHECKED_WITH}."), (
        "check that the names in warehouse/transform/dbt_internals.py still mean the same, then raise CHECKED_WITH"
    )


def test_a_project_that_another_process_parsed_from_the_same_files_is_read_and_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed_project, "FOLDER", tmp_path / "not installed")
    paths = DataPaths(tmp_path)
    dbt_runner.dbt_manifest(load_settings(), paths)
    assert dbt_runner._last_parsed is not None
    inputs, parsed = dbt_runner._last_parsed
    file, parsed_from = paths.dbt_target / "partial_parse.msgpack", paths.dbt_target / "partial_parse.sha256"

    def keep(content: bytes) -> None:
        file.write_bytes(content)
        parsed_from.write_text(f"{inputs} {dbt_runner._state_of(file)}")

    content = parsed.to_msgpack(extended_mashumaro_encoder)
    keep(content)
    kept = dbt_runner._kept_project(paths.dbt_target, inputs)
    assert kept is not None
    assert kept.nodes.keys() == parsed.nodes.keys()
    assert kept.flat_graph["nodes"] == {name: node.to_dict(omit_none=False) for name, node in parsed.nodes.items()}
    assert dbt_runner._kept_project(paths.dbt_target, "other files") is None
    keep(content[:-1000])
    assert dbt_runner._kept_project(paths.dbt_target, inputs) is None
    file.write_bytes(content)  # another process parsed something else
    assert dbt_runner._kept_project(paths.dbt_target, inputs) is None


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project as `make install` parses it, without the insights."""
    folder = tmp_path_factory.mktemp("installed")
    # In a process of its own: in those of tests, dbt does not keep what it has parsed.
    code = "import sys; from pathlib import Path; from warehouse.transform import installed_project as project"
    code += "; project.FOLDER = Path(sys.argv[1]); project.write([False])"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=PROJECT)
    return folder


def test_a_new_data_folder_takes_over_the_project_as_if_it_had_parsed_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path / "data of a warehouse", insights=False)
    monkeypatch.setattr(installed_project, "FOLDER", tmp_path / "not installed")
    parsed_manifest, parsed = _manifest_and_project(settings)
    shutil.rmtree(settings.data)
    monkeypatch.setattr(dbt_runner, "_last_parsed", None)
    dbt_runner._read_manifest.cache_clear()
    monkeypatch.setattr(installed_project, "FOLDER", installed)
    parsings = _count_parsings(monkeypatch)
    taken_manifest, taken = _manifest_and_project(settings)
    assert not parsings
    assert _without_times(taken_manifest) == _without_times(parsed_manifest)
    assert not taken.env_vars  # so the environment need not be part of the key
    taken_parts, parsed_parts = taken.to_dict(), parsed.to_dict()
    for part in ("nodes", "sources", "macros", "exposures", "disabled", "child_map"):
        assert _without_times(taken_parts.get(part)) == _without_times(parsed_parts.get(part)), part


def test_a_project_that_differs_from_the_installed_one_is_parsed(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed_project, "FOLDER", installed)
    parsings = _count_parsings(monkeypatch)
    _manifest_and_project(Settings(data=tmp_path / "other", insights=False, conversion_window_hours=1))
    assert len(parsings) == 1
    _manifest_and_project(Settings(data=tmp_path / "it's", insights=False))  # the project's sources double the quote
    assert len(parsings) == 2
    shutil.copytree(installed, tmp_path / "damaged folder")
    for file in (tmp_path / "damaged folder").iterdir():
        file.write_bytes(file.read_bytes()[:-1000])
    monkeypatch.setattr(installed_project, "FOLDER", tmp_path / "damaged folder")
    _manifest_and_project(Settings(data=tmp_path / "damaged", insights=False))
    assert len(parsings) == 3


def _manifest_and_project(settings: Settings) -> tuple[dict[str, Any], Any]:
    """The manifest of a data folder, and the project that a build uses."""
    paths = DataPaths.of(settings)
    manifest = dbt_runner.dbt_manifest(settings, paths)
    with dbt_runner._environment(dbt_runner._dbt_environment(settings, paths)):
        return manifest, dbt_runner._parsed_project(dbt_runner._dbt_arguments(settings, paths, {}), paths.dbt_target)


def _count_parsings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The target folder of each time that dbt parses the project."""
    targets, parse = list[Path](), dbt_runner._parse_project

    def counted(arguments: list[str], target: Path, *options: str) -> Any:
        targets.append(target)
        return parse(arguments, target, *options)

    monkeypatch.setattr(dbt_runner, "_parse_project", counted)
    return targets


def _without_times(value: Any) -> Any:
    """A part of a manifest without what differs each time that dbt parses."""
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name not in ("created_at", "metadata")}
    return [_without_times(item) for item in value] if isinstance(value, list | tuple) else value
