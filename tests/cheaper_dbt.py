"""dbt with less CPU time, for tests: one parse of the project for all data folders of a process, one lineage of each model,
each template compiled once, and no events that nobody reads. A first refresh saves half of its time, another one a third.

The only part of a manifest that depends on the data folder is the location of the sources, which is the lake.

Not here: what else a parse depends on (`warehouse.transform.dbt_runner`).
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

import parsedatetime
from dbt.clients.jinja import MacroGenerator, MacroStack
from dbt.context.macros import MacroNamespace
from dbt.context.manifest import ManifestContext
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.events.base_types import BaseEvent
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
    _share_macros()
    _share_templates()
    _share_date_formats()


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
    """Skips dbt's debug events where no logger writes them, as in a refresh, whose callbacks read results and errors only.

    An event becomes a message of Protocol Buffers when it is read, not when it is made.
    """
    fire_event = EventManager.fire_event

    def fire_read_event(self: EventManager, event: Any, level: Any = None, *arguments: Any, **options: Any) -> None:
        if self.loggers or level is not None or event.level_tag() != "debug":
            fire_event(self, event, level, *arguments, **options)

    EventManager.fire_event = fire_read_event  # type: ignore[method-assign]
    create, get = BaseEvent.__init__, BaseEvent.__getattr__

    def create_later(self: BaseEvent, *arguments: Any, **fields: Any) -> None:
        self.__dict__["_unread"] = arguments, fields

    def create_and_get(self: BaseEvent, name: str) -> Any:
        if "pb_msg" not in self.__dict__:
            arguments, fields = self.__dict__["_unread"]
            create(self, *arguments, **fields)
        return get(self, name)

    BaseEvent.__init__ = create_later  # type: ignore[method-assign]
    BaseEvent.__getattr__ = create_and_get  # type: ignore[method-assign]


@dataclass(frozen=True)
class _Caller:
    """What all macros of the context of a node have in common."""

    context: dict[str, Any]
    node: Any
    stack: MacroStack


class _Macros(dict[str, Any]):
    """Names, of which the macros get their context when they are looked up. dbt has 600 macros, a model has four contexts, and
    a template calls a few macros.

    `known` holds macros without a context, and by package in a dictionary.
    """

    known: Mapping[str, Any] = MappingProxyType({})
    caller: _Caller

    def of(self, known: Mapping[str, Any], caller: _Caller) -> "_Macros":
        self.known, self.caller = known, caller
        return self

    def __missing__(self, name: str) -> Any:
        found, caller = self.known[name], self.caller
        if isinstance(found, dict):
            self[name] = _Macros().of(found, caller)
        else:
            self[name] = MacroGenerator(found.macro, caller.context, caller.node, caller.stack)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.known

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        for name in self.known:
            self[name]
        return super().__iter__()

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        iter(self)
        return super().__len__()

    def keys(self) -> Any:
        iter(self)
        return super().keys()

    def items(self) -> Any:
        iter(self)
        return super().items()

    def values(self) -> Any:
        iter(self)
        return super().values()


def _share_macros() -> None:
    """Orders the macros of a project by package and precedence once, not for each context."""
    build_namespace, to_dict = ManifestContext._build_namespace, ManifestContext.to_dict
    known: dict[tuple[Any, ...], tuple[Any, dict[str, Any], MacroNamespace]] = {}

    def build_namespace_from_known(self: ManifestContext) -> MacroNamespace:
        macros, builder = self.manifest.get_macros_by_package(), self._get_namespace_builder()
        packages = builder.root_package, builder.search_package, *builder.internal_package_names_order
        key = id(macros), *packages
        if key not in known:
            ordered = build_namespace(self)
            # The macros are kept, so that no others get their id.
            known[key] = macros, dict(ordered), ordered
        _, by_name, ordered = known[key]
        self._ctx = _Macros(self._ctx)
        caller = _Caller(self._ctx, builder.node, builder.thread_ctx)
        self._ctx.of(by_name, caller)
        return MacroNamespace(
            global_namespace=_Macros().of(ordered.global_namespace, caller),
            local_namespace=_Macros().of(ordered.local_namespace, caller),
            global_project_namespace=_Macros().of(ordered.global_project_namespace, caller),
            packages=_Macros().of(ordered.packages, caller),
        )

    def to_dict_of_known(self: ManifestContext) -> dict[str, Any]:
        if not isinstance(self._ctx, _Macros):
            return to_dict(self)
        context = super(ManifestContext, self).to_dict()
        for name in dict.keys(context) & context.known:  # a macro comes before what dbt itself has under its name
            del context[name]
        return context

    ManifestContext._build_namespace = build_namespace_from_known  # type: ignore[method-assign]
    ManifestContext.to_dict = to_dict_of_known  # type: ignore[method-assign]


def _share_templates() -> None:
    """Compiles the same template once."""
    compile_template = MacroFuzzEnvironment.compile
    known: dict[tuple[Any, ...], CodeType] = {}

    def compile_once(self: MacroFuzzEnvironment, source: Any, *arguments: Any, **options: Any) -> Any:
        key = type(self), tuple(self.extensions), source, arguments, tuple(options.items())
        if key not in known:
            known[key] = compile_template(self, source, *arguments, **options)
        return known[key]

    MacroFuzzEnvironment.compile = compile_once  # type: ignore[method-assign]


def _share_date_formats() -> None:
    """Makes the tables that agate, dbt's library for results, creates for each query share the names of days and months."""
    parsedatetime.Constants = lru_cache(parsedatetime.Constants)
