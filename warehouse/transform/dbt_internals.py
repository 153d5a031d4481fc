"""dbt's rendering with less CPU time: each template is compiled once, macros are looked up when a template calls them, and
events that nobody reads are not written. A build of few rows takes a third less.

The module names parts of dbt that dbt does not export. With another release of dbt it changes nothing. It imports nothing of
Sendmart, so that processes of an earlier release can run it in tests.

Not here: how dbt is run (`dbt_runner`).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

import parsedatetime  # type: ignore[import-untyped]  # it ships no types
from dbt.artifacts.schemas import base
from dbt.clients.jinja import MacroGenerator, MacroStack
from dbt.context.macros import MacroNamespace
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.dataclass_schema import dbtClassMixin
from dbt_common.events.base_types import BaseEvent
from dbt_common.events.event_manager import EventManager
from dbt_common.utils.encoding import JSONEncoder

CHECKED_WITH = "1.11"
"""The release of dbt-core that the names below were checked against: `tests/unit/test_dbt_internals.py`."""

MAX_KNOWN_NAMESPACES, MAX_KNOWN_TEMPLATES = 32, 10_000


@cache
def make_rendering_cheaper() -> None:
    """Changes dbt for this process and those that are forked from it, unless it is another release."""
    if not version("dbt-core").startswith(f"{CHECKED_WITH}."):
        return
    _skip_unread_events()
    _share_macros()
    _share_templates()
    _keep_called_macros()
    _share_date_formats()
    _replace(base, "write_json", _write_json)
    # For a warning that Sendmart does not show, dbt searches all modules for its caller, at each start.
    _replace(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "Unknown"))


def _write_json(path: str, data: Any) -> None:
    """Writes an artifact as dbt does, but encodes it with the standard library's C code: `json.dump` uses Python."""
    Path(path).write_text(json.dumps(data, cls=JSONEncoder), encoding="utf-8")


@contextmanager
def without_validation() -> Iterator[None]:
    """dbt does not compare its files with JSON Schemas, which it would build first: for a project that was parsed before, from
    the same files, without an error.
    """
    validate = dbtClassMixin.__dict__["validate"]
    if version("dbt-core").startswith(f"{CHECKED_WITH}."):
        _replace(dbtClassMixin, "validate", classmethod(lambda cls, data: None))
    try:
        yield
    finally:
        _replace(dbtClassMixin, "validate", validate)


def read_parsed_project(content: bytes) -> Manifest | None:
    """A project from the file in which dbt keeps it between commands; None if this is another release of dbt. Raises any error
    if it is damaged.
    """
    if not version("dbt-core").startswith(f"{CHECKED_WITH}."):
        return None
    manifest = Manifest.from_msgpack(content, decoder=extended_mashumuro_decoder)
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # dbt does not type it
    return manifest


def _skip_unread_events() -> None:
    """Skips dbt's debug events where no logger writes them, as in a refresh, whose callbacks read results and errors only.

    An event becomes a message of Protocol Buffers when it is read, not when it is made.
    """
    fire_event = EventManager.fire_event

    def fire_read_event(self: EventManager, e: Any, level: Any = None, *arguments: Any, **options: Any) -> None:
        if self.loggers or level is not None or e.level_tag() != "debug":
            fire_event(self, e, level, *arguments, **options)

    _replace(EventManager, "fire_event", fire_read_event)
    create: Any = BaseEvent.__init__
    get: Any = BaseEvent.__getattr__

    def create_later(self: BaseEvent, *arguments: Any, **fields: Any) -> None:
        self.__dict__["_unread"] = arguments, fields

    def create_and_get(self: BaseEvent, name: str) -> Any:
        if "pb_msg" not in self.__dict__:
            arguments, fields = self.__dict__["_unread"]
            create(self, *arguments, **fields)
        return get(self, name)

    _replace(BaseEvent, "__init__", create_later)
    _replace(BaseEvent, "__getattr__", create_and_get)


def _replace(owner: Any, name: str, function: Any) -> None:
    setattr(owner, name, function)


@dataclass(frozen=True)
class _Caller:
    """What all macros of the context of a node have in common."""

    context: dict[str, Any]
    node: Any
    stack: MacroStack


class _Macros(dict[str, Any]):
    """Names, of which the macros get their context when they are looked up. dbt has 600 macros, a model has four contexts, and
    a template calls a few macros.

    `known` holds macros without a context, and by package in a dictionary. What dbt itself has under a name (`builtins`) is
    found when it is looked up, too; a macro comes first.
    """

    known: Mapping[str, Any] = MappingProxyType({})
    builtins: "_Builtins | None" = None
    caller: _Caller

    def of(self, known: Mapping[str, Any], caller: _Caller) -> "_Macros":
        self.known, self.caller = known, caller
        return self

    def __missing__(self, name: str) -> Any:
        if name not in self.known and self.builtins is not None:
            self[name] = self.builtins[name]
            return self[name]
        found, caller = self.known[name], self.caller
        if isinstance(found, dict):
            self[name] = _Macros().of(found, caller)
        else:
            self[name] = MacroGenerator(found.macro, caller.context, caller.node, caller.stack)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.known or (self.builtins is not None and name in self.builtins)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        for name in (*self.known, *(self.builtins or ())):
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


class _Builtins(Mapping[str, Any]):
    """What dbt itself has in the context of a node. What takes long and is seldom used is made when it is looked up."""

    _COSTLY = frozenset({"invocation_args_dict", "exceptions", "flags"})

    def __init__(self, context: ManifestContext) -> None:
        self._context, self._made = context, dict[str, Any]()
        for name in context._context_members_:
            if name not in self._COSTLY:
                self[name]

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            member = self._context._context_members_[name]
            self._made[name] = member.__get__(self._context) if hasattr(member, "__get__") else member
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._context._context_members_

    def __iter__(self) -> Iterator[str]:
        return iter(self._context._context_members_)

    def __len__(self) -> int:
        return len(self._context._context_members_)


def _share_macros() -> None:
    """Orders the macros of a project by package and precedence once, not for each context."""
    build_namespace: Any = ManifestContext._build_namespace
    to_dict: Any = ManifestContext.to_dict
    known: dict[tuple[Any, ...], tuple[Any, dict[str, Any], MacroNamespace]] = {}

    def build_namespace_from_known(self: ManifestContext) -> MacroNamespace:
        macros, builder = self.manifest.get_macros_by_package(), self._get_namespace_builder()
        packages = builder.root_package, builder.search_package, *builder.internal_package_names_order
        key = id(macros), *packages
        if key not in known:
            if len(known) >= MAX_KNOWN_NAMESPACES:  # of manifests that a long process has parsed
                known.clear()
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
            return dict(to_dict(self))
        context, builtins = self._ctx, _Builtins(self)
        context.update(context=context, builtins=builtins)
        context.builtins = builtins
        return context

    _replace(ManifestContext, "_build_namespace", build_namespace_from_known)
    _replace(ManifestContext, "to_dict", to_dict_of_known)


def _share_templates() -> None:
    """Compiles the same template once."""
    compile_template = MacroFuzzEnvironment.compile
    known: dict[tuple[Any, ...], CodeType] = {}

    def compile_once(self: MacroFuzzEnvironment, source: Any, *arguments: Any, **options: Any) -> Any:
        key = type(self), tuple(self.extensions), source, arguments, tuple(options.items())
        if key not in known:
            if len(known) >= MAX_KNOWN_TEMPLATES:
                known.clear()
            known[key] = compile_template(self, source, *arguments, **options)
        return known[key]

    _replace(MacroFuzzEnvironment, "compile", compile_once)


def _keep_called_macros() -> None:
    """Runs the template of a macro once in a context, not for each call."""
    get_macro = MacroGenerator.get_macro

    def get_macro_once(self: MacroGenerator) -> Any:
        if "_called_macro" not in self.__dict__:
            self.__dict__["_called_macro"] = get_macro(self)
        return self.__dict__["_called_macro"]

    _replace(MacroGenerator, "get_macro", get_macro_once)


def _share_date_formats() -> None:
    """Makes the tables that agate, dbt's library for results, creates for each query share the names of days and months."""
    _replace(parsedatetime, "Constants", lru_cache(parsedatetime.Constants))
