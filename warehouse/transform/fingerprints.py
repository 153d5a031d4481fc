"""Decides which models are built in full: those that depend on code, a seed or a setting that has changed since the last
build. Everything that a model is made from has a name and a fingerprint: its code, the macros, each setting of figures, the
release.

Not here: rows that changed (`warehouse.lake.change_feed`).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import models.contracts
import models.insights
import models.marts
from warehouse.transform.dbt_runner import json_digest

MACROS, RELEASE, CHECKS = "macros", "release", "checks"
"""No model depends on the checks. If one has changed, all rows are checked, and nothing is built in full."""

_CONTRACTS = (models.contracts.__file__, models.marts.__file__, models.insights.__file__)

_PREVIOUS_ROWS = re.compile(r"""(?:previous_relation\(|rows_this_run\(\s*['"]\w+['"],)\s*['"](\w+)['"]""")
_WORD = re.compile(r"\w+")
_SETTING = re.compile(r"""var\(\s*['"](\w+)['"]""")


@dataclass(frozen=True)
class ModelFingerprints:
    """The fingerprints of a project by name; what each model and the macros are made from directly (`parents`); the relation
    (database, schema, name) of each model and seed; the names of the seeds, which new rows do not change.
    """

    by_name: dict[str, str]
    parents: dict[str, set[str]]
    relations: dict[str, tuple[str, str, str]]
    seeds: set[str]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], settings: Mapping[str, Any], release: str) -> "ModelFingerprints":
        """The fingerprints of the project in dbt's manifest, with the settings that affect metrics, and in this release."""

        nodes = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
        macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == "sendmart"]
        figures = {f"setting {name}": json.dumps(value) for name, value in settings.items()}
        checks = [
            [test["name"], test["raw_code"], json.dumps([test.get("test_metadata"), test["config"]], sort_keys=True)]
            for test in manifest["nodes"].values()
            if test["resource_type"] == "test"
        ]
        by_name = {
            CHECKS: json_digest([sorted(checks), *(Path(file).read_text(encoding="utf-8") for file in _CONTRACTS)]),
            RELEASE: f"{release}, DuckDB {duckdb.__version__}",
            MACROS: json_digest(sorted(macro["macro_sql"] for macro in macros)),
            **figures,
            **{name: code_fingerprint(node) for name, node in nodes.items()},
        }
        settings_of = _SettingsInCode({macro["name"]: macro["macro_sql"] for macro in macros})
        read = {name: {f"setting {of}" for of in settings_of(node["raw_code"])} for name, node in nodes.items()}
        others = [
            *manifest["nodes"].values(),
            *(node for same in manifest.get("disabled", {}).values() for node in same),
        ]
        for node in others:
            settings_of(node.get("raw_code") or "")
        # What is named nowhere is called by dbt itself: it has a part in every model.
        macro_parents = {RELEASE, *({f"setting {of}" for of in settings_of.rest()} & figures.keys())}
        parents = {
            name: {MACROS, *read[name] & figures.keys(), *_parent_nodes(node) & nodes.keys()}
            for name, node in nodes.items()
        }
        relations = {name: (node["database"], node["schema"], node["alias"]) for name, node in nodes.items()}
        # Views are not among them: the staging views name the path of the lake, which may be moved.
        seeds = {name for name, node in nodes.items() if node["config"]["materialized"] == "seed"}
        return cls(by_name, {MACROS: macro_parents, **parents}, relations, seeds)

    def changed_since(self, built_from: Mapping[str, str]) -> set[str]:
        """The names whose fingerprint differs from that of the last build."""
        return {name for name, fingerprint in self.by_name.items() if built_from.get(name) != fingerprint}

    def downstream_of(self, names: Iterable[str]) -> set[str]:
        """The models and seeds that depend on any of these names, directly or not, and those among the names."""
        dependents = set(names)
        # Repeated until nothing is added, because the graph has cycles: a `*_this_run` model reads the previous rows of a
        # model that depends on it.
        while added := {name for name, parents in self.parents.items() if parents & dependents} - dependents:
            dependents |= added
        return dependents & self.relations.keys()


class _SettingsInCode:
    """The settings that code reads, itself or in the macros that it names. A macro of one engine is named without its prefix."""

    def __init__(self, macros: Mapping[str, str]) -> None:
        self._code: dict[str, str] = {}
        for name, code in macros.items():
            name = name.rpartition("__")[2]
            self._code[name] = f"{self._code.get(name, '')}\n{code}"
        self._named: set[str] = set()

    def __call__(self, code: str) -> set[str]:
        reached: set[str] = set()
        texts = [code]
        while texts:
            named = set(_WORD.findall("\n".join(texts))) & self._code.keys() - reached
            reached |= named
            texts = [self._code[name] for name in named]
        self._named |= reached
        return set(_SETTING.findall("\n".join([code, *(self._code[name] for name in reached)])))

    def rest(self) -> set[str]:
        """The settings that macros read which no code has named so far."""
        return set(_SETTING.findall("\n".join(self._code[name] for name in self._code.keys() - self._named)))


def code_fingerprint(node: Mapping[str, Any]) -> str:
    """The fingerprint of a model or seed itself: its code, configuration and relation, without macros and settings."""
    types = {column["name"]: column.get("data_type") for column in node["columns"].values()}
    return json_digest([node["checksum"], node["config"], types, node["database"], node["schema"], node["alias"]])


def _parent_nodes(node: Mapping[str, Any]) -> set[str]:
    """What a model reads. A `*_this_run` model also reads the previous rows of models, without which it is empty."""
    with_previous_rows = {f"model.{node['package_name']}.{name}" for name in _PREVIOUS_ROWS.findall(node["raw_code"])}
    return {*node["depends_on"].get("nodes", ()), *with_previous_rows}
