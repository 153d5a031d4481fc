"""The stages of a refresh, as functions: Dagster's assets and the command line call them.

`quality` and `warehouse` meet here. Not here: Dagster. The command line starts without it, and so do tests.
"""

from orchestration.stages.audit import audit_candidate, audit_page_of, test_candidate
from orchestration.stages.build import build_candidate, is_built
from orchestration.stages.context import AppContext
from orchestration.stages.erase import Erasure, check_ledger, erase_contact, finish_erasures
from orchestration.stages.export import (
    describe_export,
    export_missing,
    export_reports,
    prune_exports,
    reports_to_export,
)
from orchestration.stages.figures import figure_breaches
from orchestration.stages.gate import evaluate_gate, override_gate
from orchestration.stages.load import file_sizes, group_by_date, load_changed, remove_withdrawn
from orchestration.stages.plan import RefreshPlan, freshness_times, late_days, missing_days, plan_refresh
from orchestration.stages.publish import is_published, publish_candidate, rollback_build
from orchestration.stages.quarantine import publish_quarantine

__all__ = [
    "AppContext", "Erasure", "RefreshPlan", "audit_candidate", "audit_page_of", "build_candidate",
    "check_ledger", "describe_export",
    "erase_contact", "evaluate_gate", "export_missing", "export_reports", "figure_breaches", "file_sizes", "finish_erasures",
    "freshness_times", "group_by_date", "is_built", "is_published", "late_days", "load_changed", "missing_days",
    "override_gate", "plan_refresh", "prune_exports", "publish_candidate", "publish_quarantine", "remove_withdrawn",
    "reports_to_export",
    "rollback_build", "test_candidate",
]  # fmt: skip
