"""Hostile runs, launched by the GraphQL API of a running `sendmart dev`: each is refused or fails, and changes no file.

Not here: which message such a run config or tag gives, without a server (`test_run_config`).
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contact_search import copy_warehouse
from tests.running import SENDMART, RefreshedWarehouse, clean_environment, environment_of
from warehouse.config.settings import PROJECT

pytestmark = pytest.mark.torture

SECRET = "hidden7f3a"
TIMEOUT_SECONDS = 300
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

EXPORT, SENDS = ["exports", "delivery_status"], ["logs", "sends"]

LAUNCH = """
mutation($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
  }
}
"""
LOCATIONS = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
EVENTS = """
query($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection {
      events {
        ... on MessageEvent { message }
        ... on ExecutionStepFailureEvent { error { message stack errorChain { error { message stack } } } }
      }
    }
  }
}
"""


def _export_config(**config: Any) -> dict[str, Any]:
    return {"ops": {"exports__delivery_status": {"config": config}}}


def _range(start: str, end: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("PipelineNotFoundError", {"job": "../../x"}),
    ("PipelineNotFoundError", {"job": "'; drop table runs; --"}),
    ("InvalidSubsetError", {"asset": ["exports", "../../x"]}),
    ("PythonError", {"asset": EXPORT, "config": "!!python/object/apply:os.system ['touch created']"}),
    ("PythonError", {"asset": EXPORT, "config": "[1, 2]"}),
    ("RunConfigValidationInvalid", {"asset": EXPORT, "config": _export_config(path="/x")}),
    ("PythonError", {"asset": SENDS, "tags": {"dagster/partition": "../../x"}}),
    ("PythonError", {"asset": SENDS, "tags": {"dagster/partition": "x'; drop table runs; --"}}),
]
"""Launches by the type of the answer."""

FAILING: list[dict[str, Any]] = [
    {
        "asset": EXPORT,
        "config": _export_config(campaign="../../x"),
        "tags": {"dagster/image": "x", "dagster-k8s/config": "{", "sendmart/started_by": "<script>", "x": "\x1b[31m"},
    },
    {"asset": EXPORT, "config": _export_config(campaign={"env": "SECRET"})},
    {"asset": SENDS, "config": {"resources": {"warehouse": {"config": {"settings": {"data": "elsewhere"}}}}}},
    {"asset": SENDS, "tags": _range("2019-12-30", "2020-01-02")},
]
"""Launches that are queued, and whose run fails."""


class Server:
    """The GraphQL API of a web server, as a client sees it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        return httpx.post(self.url, json={"query": query, "variables": variables}, timeout=60).json()["data"]

    def launch(
        self,
        job: str = "__ASSET_JOB",
        asset: list[str] | None = None,
        config: dict[str, Any] | str = "{}",
        tags: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        (repository,) = self.ask(LOCATIONS)["repositoriesOrError"]["nodes"]
        selector = {
            "repositoryName": repository["name"],
            "repositoryLocationName": repository["location"]["name"],
            "pipelineName": job,
            **({"assetSelection": [{"path": asset}]} if asset else {}),
        }
        parameters = {
            "selector": selector,
            "mode": "default",
            "runConfigData": config if isinstance(config, str) else json.dumps(config),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
        }
        return self.ask(LAUNCH, parameters=parameters)["launchPipelineExecution"]

    def status(self, run_id: str) -> str:
        return self.ask(STATUS, id=run_id)["runOrError"]["status"]


@contextmanager
def _development_server(variables: dict[str, str], log: Path) -> Iterator[Server]:
    """`sendmart dev`: web server, daemon and code server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("w") as output:
        process = subprocess.Popen(
            [SENDMART, "dev", "--port", str(port)],
            env=clean_environment(variables), cwd=PROJECT, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    server = Server(port)

    def has_loaded() -> bool:
        try:
            return bool(server.ask(LOCATIONS)["repositoriesOrError"].get("nodes"))
        except httpx.HTTPError:
            return False

    try:
        _wait_until(has_loaded)
        yield server
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _wait_until(condition) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.5)


def _files(data: Path) -> dict[Path, bytes]:
    folders = (data / name for name in ("lake", "quarantine", "published", "exports", "changes", "warehouse"))
    return {file: file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_hostile_launches_are_refused_or_fail_and_change_nothing(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    context = copy_warehouse(refreshed_small, tmp_path)
    data, log = context.settings.data, tmp_path / "output"
    log.touch()
    before, beside = _files(data), sorted(tmp_path.iterdir())
    variables = environment_of(data, context.settings.landing, max_rejected_share="1") | {"SECRET": SECRET}
    with _development_server(variables, log) as server:
        answers = [(expected_type, server.launch(**launch)["__typename"]) for expected_type, launch in REFUSED]
        assert answers == [(expected_type, expected_type) for expected_type, _ in REFUSED]
        run_ids = [server.launch(**launch)["run"]["runId"] for launch in FAILING]
        _wait_until(lambda: all(server.status(run_id) in ENDED for run_id in run_ids))
        assert [server.status(run_id) for run_id in run_ids] == ["FAILURE"] * len(FAILING)
        events = [json.dumps(server.ask(EVENTS, id=run_id)) for run_id in run_ids]
    reasons = (
        "export-refused|knows no campaign",
        "write the value itself",
        "settings are read from",
        "must be a range",
    )
    for reason, event in zip(reasons, events, strict=True):
        assert any(words in event for words in reason.split("|")), event
    assert (_files(data), sorted(tmp_path.iterdir())) == (before, beside)
    assert not (PROJECT / "created").exists()
    assert [file for file in tmp_path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()] == []
