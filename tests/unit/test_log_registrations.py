"""Every log is registered wherever a log must be: a forgotten step of the recipe in CONTRIBUTING.md is one sentence."""

import pytest

from models.enums import Log
from tests.oracle.logs import LOGS
from tests.unit.test_admission import CONTRACT, GOOD
from warehouse.config import PROJECT

DBT_PROJECT = PROJECT / "dbt_project"
DEDUPLICATION = "dbt_project/macros/deduplication.sql"


@pytest.mark.parametrize("log", Log)
def test_every_log_has_what_a_log_needs(log: Log) -> None:
    rules = (PROJECT / DEDUPLICATION).read_text(encoding="utf-8")
    feed = "\n".join(file.read_text(encoding="utf-8") for file in (DBT_PROJECT / "models" / "this_run").glob("*.sql"))
    steps = {
        f"dbt_project/models/staging/stg_logs__{log}.sql selects its columns": (
            DBT_PROJECT / "models" / "staging" / f"stg_logs__{log}.sql"
        ).exists(),
        # Receipts are not deduplicated: each one can decide the status of its message.
        f"{DEDUPLICATION} has its rule": log is Log.RECEIPTS or f'"{log}": {{' in rules,
        "a model in dbt_project/models/this_run reads its changes": f'"{log}"' in feed,
        "LOGS in tests/oracle/logs.py has its columns": log in LOGS,
        "CONTRACT in tests/unit/test_admission.py has its columns": log in CONTRACT,
        "GOOD in tests/unit/test_admission.py has a valid row": log in GOOD,
    }
    missing = [step for step, is_done in steps.items() if not is_done]
    assert not missing, f"to do for the log {log} (CONTRIBUTING.md): {'; '.join(missing)}"
