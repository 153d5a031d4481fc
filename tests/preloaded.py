"""What a refresh imports or computes once per process: the fork server imports this module, and its processes find it done.

dbt builds the JSON schemas that it validates its files against: a third of the time that it takes to parse a project.
Nothing is parsed here and no thread is started.
"""

import gc
import pkgutil

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.artifacts.resources import Contract, ExposureConfig, ModelConfig, SeedConfig, SourceConfig, TestConfig
from dbt.artifacts.resources.v1.config import NodeConfig
from dbt.contracts.graph import nodes, unparsed
from dbt.contracts.project import Configuration, PackageConfig, Project, ProjectFlags

import orchestration.defs

for module in pkgutil.iter_modules(orchestration.defs.__path__, "orchestration.defs."):
    pkgutil.resolve_name(module.name)

for validated in (
    *(Configuration, DuckDBCredentials, PackageConfig, Project, ProjectFlags),
    *(Contract, ExposureConfig, ModelConfig, NodeConfig, SeedConfig, SourceConfig, TestConfig),
    *(nodes.GenericTestNode, nodes.HookNode, nodes.ModelNode, nodes.SeedNode, nodes.SingularTestNode),
    *(unparsed.UnparsedModelUpdate, unparsed.UnparsedNodeUpdate, unparsed.UnparsedSourceDefinition),
    *(unparsed.UnparsedUnitTest, unparsed.UnparsedExposure, unparsed.UnparsedGroup),
):
    validated.json_schema()

gc.freeze()  # the collector of a forked process need not look through, and so copy, what is here
gc.set_threshold(50_000, 20, 20)  # as in tests/conftest.py
