"""What all tests share: a clean environment, and warehouses that were refreshed once for the whole session.

A refresh parses the dbt project and imports much: whoever only looks at a published build shares one of these.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import CASES, RefreshedWarehouse, refresh_in_process
from warehouse import settings


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the machine's environment nor a developer's `.env` may decide how a test ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(settings.PREFIX) or name == "DAGSTER_HOME":
                patch.delenv(name)
        patch.setattr(settings, "DOTENV", tmp_path_factory.mktemp("settings") / ".env")
        yield


@pytest.fixture(scope="session", params=["small", "wide"])
def refreshed_case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """Each of the cases, refreshed by the real job."""
    landing: Path = CASES / request.param / "landing"
    data = tmp_path_factory.mktemp(request.param)
    return refresh_in_process(data, landing, max_rejected_share="1")
