"""The gate stage: runs the release gate on the current candidate, and records overrides.

Not here: the rules of the gate (`quality.gate`).
"""

from models.marts import dbt_marts
from orchestration.stages.context import AppContext
from quality import gate
from quality.audit import expected_checks
from warehouse.ledger import Build
from warehouse.transform import dbt_tests


def evaluate_gate(context: AppContext) -> gate.GateResult:
    """Decides whether the candidate may be published, from the recorded check results and files."""
    ledger, settings = context.ledger, context.settings
    candidate = ledger.candidate()
    return gate.evaluate_gate(
        expected_checks_of(context),
        ledger.checks(candidate.build_id) if candidate else [],
        ledger.files(),
        settings.max_rejected_share,
        settings.min_rejected_rows,
        withdrawal=ledger.withdrawal(candidate.build_id) if candidate else None,
        overridden={
            problem
            for override in (ledger.overrides(candidate.build_id) if candidate else ())
            for problem in override.overridden
        },
    )


def expected_checks_of(context: AppContext) -> set[str]:
    """The names of all checks that must have a result for a candidate."""
    audited = expected_checks(dbt_marts(insights=context.settings.insights))
    return audited | dbt_tests.expected_tests(context.settings, context.paths)


def override_gate(context: AppContext, candidate: Build, reason: str) -> None:
    """Records that a person publishes the candidate despite its current blocking problems."""
    with context.paths.writer_lock():
        problems = [str(problem) for problem in evaluate_gate(context).blocking_problems]
        context.ledger.override(candidate.build_id, reason, problems)
