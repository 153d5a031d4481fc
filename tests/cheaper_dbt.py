"""dbt with less CPU time, for tests: one parse of the project for all data folders of a process, one lineage of each model,
and no events that nobody reads. A first refresh saves half of its time, another one a tenth.

The only part of a manifest that depends on the data folder is the location of the sources, which is the lake.

Not here: what else a parse depends on (`warehouse.transform.dbt_runner`).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt_common.events.event_manager import EventManager

from warehouse.config import DBT_PREFIX
from warehouse.transform import compiled_sql, dbt_runner

_PATHS = {f"{DBT_PREFIX}{name}" for name in ("BUILD", "CANDIDATE", "LAKE", "TEMP_DIRECTORY")}
_LOCATION = "external_location"


@dataclass(frozen=True)
class _Parsed:
    """A manifest, the `manifest.json` that dbt wrote, the lake of both, and the locations of the sources."""

    manifest: Any
    written: str
    lake: str
    locations: dict[str, str]

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
    _share_parsed_projects()
    _share_lineages()
    _skip_unread_events()


def _share_parsed_projects() -> None:
    """Makes this process parse each dbt project once for the same settings."""
    parse = dbt_runner._parse_project
    parsed: dict[str, _Parsed] = {}

    def parse_once(arguments: list[str], *options: str) -> Any:
        options_by_name = dict(zip(arguments[::2], arguments[1::2], strict=True))
        variables = json.loads(options_by_name["--vars"])
        lake, written = variables.pop("lake_path"), Path(options_by_name["--target-path"]) / "manifest.json"
        settings = {name: os.environ[name] for name in os.environ if name.startswith(DBT_PREFIX) and name not in _PATHS}
        project, target = options_by_name["--project-dir"], options_by_name["--target"]
        key = dbt_runner.json_digest([project, target, variables, settings, dbt_runner.project_digest()])
        if key in parsed:
            shared = parsed[key]
            shared.locate(lake)
            if not options:
                written.write_text(shared.written_for(lake), encoding="utf-8")
            dbt_runner._last_parsed = dbt_runner._parse_inputs(arguments), shared.manifest
            return shared.manifest
        manifest = parse(arguments, *options)
        if not options:
            sources = manifest.sources.items()
            locations = {name: source.meta[_LOCATION] for name, source in sources if _LOCATION in source.meta}
            parsed[key] = _Parsed(manifest, written.read_text(encoding="utf-8"), lake, locations)
        return manifest

    dbt_runner._parse_project = parse_once


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


def _skip_unread_events() -> None:
    """Skips dbt's debug events where no logger writes them, as in a refresh, whose callbacks read results and errors only."""
    fire_event = EventManager.fire_event

    def fire_read_event(self: EventManager, event: Any, level: Any = None, *arguments: Any, **options: Any) -> None:
        if self.loggers or level is not None or event.level_tag() != "debug":
            fire_event(self, event, level, *arguments, **options)

    EventManager.fire_event = fire_read_event  # type: ignore[method-assign]
