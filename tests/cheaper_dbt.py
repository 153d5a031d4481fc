"""dbt with less CPU time, for tests: one parse of the project for all data folders of the session, one compilation of the
tests, one lineage of each model.

The only part of a manifest that depends on the data folder is the location of the sources, which is the lake.

Not here: how dbt renders (`warehouse.transform.dbt_internals`), what else a parse depends on (`warehouse.transform.dbt_runner`).
"""

import atexit
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from filelock import FileLock

from warehouse.config import DBT_PREFIX, DataPaths, Settings
from warehouse.transform import compiled_sql, dbt_runner, dbt_tests

_PATHS = {f"{DBT_PREFIX}{name}" for name in ("BUILD", "CANDIDATE", "LAKE", "TEMP_DIRECTORY")}
_LOCATION = "external_location"
_SHARED_FOLDER = "PYTEST_PARSED_DBT_PROJECTS"
"""The variable with the folder in which the processes of a session share what they have parsed."""


@dataclass(frozen=True)
class _Parsed:
    """A manifest, the `manifest.json` that dbt wrote, the lake of both, and the locations of the sources."""

    manifest: Any
    written: str
    lake: str
    locations: dict[str, str]

    def write(self, file: Path) -> None:
        # Without what dbt looks up in it and its lock: a manifest that dbt itself pickles lacks a field.
        content = {name: value for name, value in vars(self.manifest).items() if not name.startswith("_")}
        file.write_bytes(pickle.dumps((content, self.written, self.lake, self.locations)))

    @classmethod
    def read(cls, file: Path) -> "_Parsed":
        content, *others = pickle.loads(file.read_bytes())
        manifest = Manifest()
        vars(manifest).update(content)
        return cls(manifest, *others)

    def locate(self, lake: str) -> None:
        """Moves the sources of the manifest to another lake."""
        for name, location in self.locations.items():
            source = self.manifest.sources[name]
            moved = location.replace(_pattern(self.lake), _pattern(lake))
            source.meta[_LOCATION] = source.config.meta[_LOCATION] = moved

    def written_for(self, lake: str) -> str:
        """The `manifest.json` for another lake."""
        before, after = (json.dumps(_pattern(path))[1:-1] for path in (self.lake, lake))
        return self.written.replace(before, after)


def _pattern(lake: str) -> str:
    """A path as the location of a source holds it: see the comment in `_logs__sources.yml`."""
    for character, escaped in (("'", "''"), ("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("{", "{{"), ("}", "}}")):
        lake = lake.replace(character, escaped)
    return lake


def make_dbt_cheaper() -> None:
    """Changes dbt and its runner for this process and those that are forked from it."""
    if _SHARED_FOLDER not in os.environ:  # in the first process of the session
        os.environ[_SHARED_FOLDER] = tempfile.mkdtemp(prefix="parsed-dbt-projects-")
        atexit.register(shutil.rmtree, os.environ[_SHARED_FOLDER], ignore_errors=True)
    _share_parsed_projects(Path(os.environ[_SHARED_FOLDER]))
    _share_compiled_tests(Path(os.environ[_SHARED_FOLDER]))
    _share_lineages()


def _share_parsed_projects(folder: Path) -> None:
    """Makes the processes of the session parse each dbt project once for the same settings."""
    parse = dbt_runner._parse_project
    parsed: dict[str, _Parsed] = {}

    def parse_once(arguments: list[str], target_folder: Path, *options: str) -> Any:
        options_by_name = dict(zip(arguments[::2], arguments[1::2], strict=True))
        variables = json.loads(options_by_name["--vars"])
        lake, written = variables.pop("lake_path"), target_folder / "manifest.json"
        settings = {name: os.environ[name] for name in os.environ if name.startswith(DBT_PREFIX) and name not in _PATHS}
        project, target = options_by_name["--project-dir"], options_by_name["--target"]
        key = dbt_runner.json_digest([project, target, variables, settings, dbt_runner.project_digest()])
        file = folder / f"{key}.pickle"
        with FileLock(file.with_suffix(".lock")):
            if key not in parsed and file.exists():
                parsed[key] = _Parsed.read(file)
            elif key not in parsed:
                manifest = parse(arguments, target_folder, *options)
                if options:  # then dbt has written no manifest that could be shared
                    return manifest
                parsed[key] = _parsed_anew(manifest, written, lake)
                parsed[key].write(file)
        shared = parsed[key]
        shared.locate(lake)
        if not options:
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(shared.written_for(lake), encoding="utf-8")
        dbt_runner._last_parsed = dbt_runner._parse_inputs(arguments), shared.manifest
        return shared.manifest

    dbt_runner._parse_project = parse_once


def _parsed_anew(manifest: Any, written: Path, lake: str) -> _Parsed:
    sources = manifest.sources.items()
    locations = {name: source.meta[_LOCATION] for name, source in sources if _LOCATION in source.meta}
    return _Parsed(manifest, written.read_text(encoding="utf-8"), lake, locations)


def _share_compiled_tests(folder: Path) -> None:
    """Makes the processes of the session compile the dbt tests once for the same settings: their SQL names no folder."""
    compile_tests = dbt_tests._compile

    def compile_once(settings: Settings, paths: DataPaths) -> dict[str, str]:
        key = dbt_runner.json_digest([settings.figure_settings(), dbt_runner.project_digest()])
        file = folder / f"tests-{key}.json"
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                compiled = json.dumps(compile_tests(settings, paths))
                assert str(paths.data) not in compiled
                file.write_text(compiled, encoding="utf-8")
        return dict(json.loads(file.read_bytes()))

    dbt_tests._compile = compile_once


def _share_lineages() -> None:
    """Makes this process work out the lineage of the same SQL of a model once."""
    lineage_of = compiled_sql._lineage_of
    known: dict[tuple[str, ...], Any] = {}

    def lineage_once(manifest: Mapping[str, Any], name: str, sql: str) -> Any:
        relations = {**manifest["nodes"], **manifest["sources"]}
        parents = relations[name]["depends_on"]["nodes"]
        without_paths = sql
        for parent in parents:
            without_paths = without_paths.replace(relations[parent]["relation_name"], parent)
        key = name, without_paths, *(column for model in (name, *parents) for column in relations[model]["columns"])
        if key not in known:
            known[key] = lineage_of(manifest, name, sql)
        return known[key]

    compiled_sql._lineage_of = lineage_once
