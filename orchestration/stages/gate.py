"""The release gate on the current candidate, from the recorded results."""

from orchestration.stages.context import AppContext
from quality import gate
from quality.audit import expected_checks
from warehouse.ledger import Build, Override
from warehouse.transform import build


def evaluate_gate(context: AppContext) -> gate.GateResult:
    """Whether the candidate may be published, from what was recorded of it and of the files in the lake."""
    candidate = context.ledger.candidate()
    recorded = context.ledger.checks(candidate.build_id) if candidate else []
    return gate.evaluate_gate(
        _expected_checks(context),
        recorded,
        context.ledger.files(),
        context.settings.max_rejected_share,
        context.settings.min_rejected_rows,
        withdrawal=context.ledger.withdrawal(candidate.build_id) if candidate else None,
        overridden={text for override in _overrides(context, candidate) for text in override.overridden},
    )


def _overrides(context: AppContext, candidate: Build | None) -> list[Override]:
    return context.ledger.overrides(candidate.build_id) if candidate else []


def _expected_checks(context: AppContext) -> set[str]:
    """The names of all checks that a candidate must have been held to."""
    return expected_checks() | build.expected_tests(context.settings, context.paths)


def override_gate(context: AppContext, candidate: Build, reason: str) -> None:
    """Notes that a person publishes the candidate over all that holds it back now."""
    with context.paths.writer_lock():
        context.ledger.override(
            candidate.build_id, reason, [str(problem) for problem in evaluate_gate(context).blocking_problems]
        )
