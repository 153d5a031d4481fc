"""The Dagster instance of the project, which `dagster dev` and `dg dev` by hand find, too.

`dagster dev` and `dg dev`, typed in the project's folder without DAGSTER_HOME, read `dagster.yaml` there, which names the
class below, and take a temporary folder for the history. The class replaces it with the data folder's.

Not here: the folder of the history (`run_refresh.dagster_home`), its databases (`dagster_storage`), the limits of runs
(`dagster.yaml`), `sendmart dev` (`cli/dev.py`).
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from orchestration.dagster_internals import TMP_DAGSTER_HOME_PREFIX, ConfigurableClassData, InstanceRef
from orchestration.run_refresh import dagster_home
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings

log = logging.getLogger("dagster.sendmart")


class ProjectInstance(dg.DagsterInstance):
    """Dagster's own instance, with the history in the data folder if Dagster would keep it in a temporary folder."""

    @classmethod
    def config_schema(cls) -> Mapping[str, object]:
        """The class has no configuration of its own."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """The storages for whatever `dagster.yaml` does not configure. `base_dir`: DAGSTER_HOME, or a temporary folder."""
        if Path(base_dir).name.startswith(TMP_DAGSTER_HOME_PREFIX):
            base_dir = str(dagster_home(AppContext.of(load_settings())))
            log.info("Sendmart keeps its history in %s, not in the temporary directory.", base_dir)
        storage = ConfigurableClassData(
            "orchestration.dagster_storage", "SqliteStorage", json.dumps({"base_dir": base_dir})
        )
        return {**InstanceRef.config_defaults(base_dir), "storage": storage}
