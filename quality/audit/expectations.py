"""Checks the metrics of a candidate: within their usual ranges, and beside earlier builds.

Not here: the metrics (`quality.audit.metrics`), ranges from earlier builds (`quality.audit.anomalies`), the expectations
(`quality.audit.suites`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from models.check_results import BuildMetrics, CheckResult, Metrics, Rule
from quality.audit.anomalies import ComparedMetric, compare
from quality.audit.formatting import error_text, result_of
from quality.audit.metrics import BuildFacts, compute_metrics, create_aggregates
from quality.audit.suites import check_history, check_volumes

_VOLUMES, _HISTORY = "volumes", "history"

_NO_FACTS = BuildFacts()


@dataclass(frozen=True)
class ExpectationResults:
    """What the suites gave: check results, the candidate's metrics, and by mart the metrics beside earlier builds."""

    results: list[CheckResult]
    metrics: Metrics
    compared: dict[str, list[ComparedMetric]]


def check_expectations(
    connection: duckdb.DuckDBPyConnection,
    marts: Iterable[str],
    facts: BuildFacts = _NO_FACTS,
    published: Sequence[BuildMetrics] = (),
) -> ExpectationResults:
    """Two warning results per mart, `volumes_<mart>` and `history_<mart>`; no error is raised. `published`: metrics in order
    of publication.
    """
    marts = list(marts)
    metrics: dict[str, dict[str, float]] = {}
    compared: dict[str, list[ComparedMetric]] = {}
    rules: dict[str, dict[str, list[Rule]]] = {}
    try:
        # The temporary tables go with the cursor.
        with connection.cursor() as cursor:
            aggregate_errors = create_aggregates(cursor, facts.data_until)
            for mart in marts:
                try:
                    row = compute_metrics(cursor, mart, facts)
                    metrics[mart] = {name: value for name, value in row.items() if value is not None}
                    compared[mart] = compare(mart, BuildMetrics(facts.build_id, facts.data_until, metrics), published)
                    volumes, history = check_volumes(mart, row), check_history(mart, compared[mart])
                    rules[mart] = {_VOLUMES: volumes, _HISTORY: history}
                # Any error means that this mart was not checked.
                except Exception as error:
                    rules[mart] = _not_checked("; ".join([error_text(error), *aggregate_errors]))
    # Any error means that nothing was checked.
    except Exception as error:
        rules = {mart: _not_checked(error_text(error)) for mart in marts}
    results = [
        result_of(f"{kind}_{mart}", mart_rules, is_blocking=False)
        for mart in marts
        for kind, mart_rules in rules[mart].items()
    ]
    return ExpectationResults(results, metrics, compared)


def _not_checked(error: str) -> dict[str, list[Rule]]:
    rule = Rule("the metrics are in their usual ranges", passed=False, message=f"could not be checked: {error}")
    return {_VOLUMES: [rule], _HISTORY: [rule]}
