"""What of a build must be built anew, because what it was made from has changed: its code, the vocabulary, a setting.

Everything that a model is made from has a name and a fingerprint: its own code, the macros, each setting that alters
figures, the release. The fingerprints of the build at hand are in the ledger; where one differs now, the models that come
from it, directly or through others, are built in full, and the rest incrementally.

Not here: rows that changed (`warehouse.lake.change_feed`).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import models.marts
from warehouse.foundation import Settings

MACROS = "macros"
RELEASE = "release"
CHECKS = "checks"
"""No model comes from it: a check that changed asks for all rows to be looked at, not for a build in full."""

_MART_CONTRACTS = Path(models.marts.__file__)
_STATE = re.compile(r"""(?:previous_relation\(|rows_this_run\(\s*['"]\w+['"],)\s*['"](\w+)['"]""")
_SETTING = re.compile(r"""var\(\s*['"](\w+)['"]""")


@dataclass(frozen=True)
class ModelFingerprints:
    """What the models of the project are made from, by name: fingerprints, which comes from which, and where each
    model is (database, schema, table or view); and which of them new rows leave as they are: seeds.
    """

    fingerprints: dict[str, str]
    parents: dict[str, set[str]]
    places: dict[str, tuple[str, str, str]]
    standing: set[str]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], settings: Settings, release: str) -> "ModelFingerprints":
        nodes = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
        macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == "sendmart"]
        figures = {f"setting {name}": json.dumps(value) for name, value in settings.figure_settings().items()}
        tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
        fingerprints = {
            CHECKS: _digest([sorted(map(_check, tests)), _MART_CONTRACTS.read_text(encoding="utf-8")]),
            RELEASE: f"{release}, DuckDB {duckdb.__version__}",
            MACROS: _digest(sorted(macro["macro_sql"] for macro in macros)),
            **figures,
            **{name: code_fingerprint(node) for name, node in nodes.items()},
        }
        of_macros = {RELEASE, *_settings("\n".join(macro["macro_sql"] for macro in macros), figures)}
        parents = {
            name: {MACROS, *_settings(node["raw_code"], figures), *_nodes_before(node, nodes), *_states(node, nodes)}
            for name, node in nodes.items()
        }
        places = {name: (node["database"], node["schema"], node["alias"]) for name, node in nodes.items()}
        # Not views: those of staging name the lake by its path, and a data folder may be copied or moved.
        standing = {name for name, node in nodes.items() if node["config"]["materialized"] == "seed"}
        return cls(fingerprints, {MACROS: of_macros, **parents}, places, standing)

    def changed_since(self, built_from: Mapping[str, str]) -> set[str]:
        """The names whose fingerprint is another than that of the build at hand."""
        return {name for name, fingerprint in self.fingerprints.items() if built_from.get(name) != fingerprint}

    def models_from(self, names: Iterable[str]) -> set[str]:
        """The models and seeds that come from any of these names, or are among them."""
        found = set(names)
        # Again and again: what a run touches is told by a table that the run then brings up to date, which is a circle.
        while more := {name for name, parents in self.parents.items() if parents & found} - found:
            found |= more
        return found & self.places.keys()


def code_fingerprint(node: Mapping[str, Any]) -> str:
    """What a model or seed is by itself: its code and where it lies, without macros and settings."""
    types = {column["name"]: column.get("data_type") for column in node["columns"].values()}
    return _digest([node["checksum"], node["config"], types, node["database"], node["schema"], node["alias"]])


def _check(node: Mapping[str, Any]) -> list[str]:
    return [node["name"], node["raw_code"], json.dumps([node.get("test_metadata"), node["config"]], sort_keys=True)]


def _settings(code: str, figures: Mapping[str, str]) -> set[str]:
    return {f"setting {name}" for name in _SETTING.findall(code)} & figures.keys()


def _nodes_before(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> set[str]:
    return set(node["depends_on"].get("nodes", ())) & nodes.keys()


def _states(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> set[str]:
    """The tables whose previous rows a `*_this_run` model reads: without them it is empty."""
    return {f"model.{node['package_name']}.{name}" for name in _STATE.findall(node["raw_code"])} & nodes.keys()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
