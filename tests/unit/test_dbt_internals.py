"""dbt is changed where it is the release that the changes were made for: a new release needs a look at each changed name."""

from importlib.metadata import version
from pathlib import Path

from dbt.parser.manifest import extended_mashumaro_encoder

from warehouse.config import DataPaths
from warehouse.config.settings import load_settings
from warehouse.transform import dbt_internals, dbt_runner


def test_the_installed_dbt_is_the_release_that_the_changes_were_checked_with() -> None:
    assert version("dbt-core").startswith(f"{dbt_internals.CHECKED_WITH}."), (
        "check that the names in warehouse/transform/dbt_internals.py still mean the same, then raise CHECKED_WITH"
    )


def test_a_project_that_another_process_parsed_from_the_same_files_is_read_and_not_parsed(tmp_path: Path) -> None:
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
