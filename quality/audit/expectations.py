"""Runs the Great Expectations suites on a candidate: its metrics within their usual ranges, and beside earlier builds.

Great Expectations has no datasource for DuckDB. It gets the metrics of a mart as a pandas frame of one row, through one
context in memory that writes no file and sends nothing.

Not here: the metrics (`quality.audit.metrics`), ranges from earlier builds (`quality.audit.anomalies`), the expectations
(`quality.audit.suites`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from models.build_metrics import BuildMetrics, Metrics
from models.check_results import CheckResult, Rule
from models.marts import DBT_MARTS
from quality.audit.anomalies import ComparedMetric, compare
from quality.audit.formatting import error_text
from quality.audit.metrics import BuildFacts, compute_metrics, create_aggregates

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.datasource.fluent.pandas_datasource import PandasDatasource

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
    schema: str,
    facts: BuildFacts = _NO_FACTS,
    published: Sequence[BuildMetrics] = (),
) -> ExpectationResults:
    """Two results per mart, `volumes_<mart>` and `history_<mart>`. Both only warn. No error is raised: it is a result.

    Args:
        connection: sees the candidate; it is left unchanged.
        schema: the schema of the marts, such as `candidate.marts`.
        facts: what the marts do not say of the build.
        published: the metrics of published builds, in the order of publication.
    """
    metrics: dict[str, dict[str, float]] = {}
    compared: dict[str, list[ComparedMetric]] = {}
    rules: dict[str, dict[str, list[Rule]]] = {}
    try:
        # Imported here because it takes seconds: only an audit pays for it.
        from quality.audit.suites import history_suite, volumes_suite

        source = _datasource()
        # The temporary tables go with the cursor.
        with connection.cursor() as cursor:
            aggregate_errors = create_aggregates(cursor, schema, facts.data_until)
            for mart in DBT_MARTS:
                try:
                    row = compute_metrics(cursor, mart, facts)
                    metrics[mart] = {name: value for name, value in row.items() if value is not None}
                    compared[mart] = compare(mart, BuildMetrics(facts.build_id, facts.data_until, metrics), published)
                    values = {metric.name: metric.value for metric in compared[mart]}
                    rules[mart] = {
                        _VOLUMES: _validate(source, volumes_suite(mart), row),
                        _HISTORY: _validate(source, history_suite(mart, compared[mart]), values),
                    }
                # Any error means that this mart was not checked.
                except Exception as error:
                    message = "; ".join([error_text(error), *aggregate_errors])
                    rules[mart] = _not_checked(message)
    # Any error means that nothing was checked.
    except Exception as error:
        rules = {mart: _not_checked(error_text(error)) for mart in DBT_MARTS}
    results = [
        CheckResult(
            f"{kind}_{mart}",
            is_blocking=False,
            passed=all(rule.passed for rule in mart_rules),
            detail="\n".join(rule.message for rule in mart_rules if not rule.passed),
            rules=tuple(mart_rules),
        )
        for mart in DBT_MARTS
        for kind, mart_rules in rules[mart].items()
    ]
    return ExpectationResults(results, metrics, compared)


def _not_checked(error: str) -> dict[str, list[Rule]]:
    rule = Rule("the metrics are in their usual ranges", passed=False, message=f"could not be checked: {error}")
    return {_VOLUMES: [rule], _HISTORY: [rule]}


def _datasource() -> "PandasDatasource":
    """A datasource in a context of its own: in memory, without analytics and progress bars, whatever is configured."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        ),
    )
    return context.data_sources.add_pandas("candidate")


def _validate(source: "PandasDatasource", suite: "ExpectationSuite", metrics: Mapping[str, float | None]) -> list[Rule]:
    """One rule for each expectation of a suite on the metrics of a mart."""
    import pandas as pd

    if not suite.expectations:
        return []
    # A missing number is NaN, which Great Expectations leaves out.
    data = pd.DataFrame([metrics], dtype="float64")
    asset = source.add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})
    validation = batch.validate(suite, result_format="SUMMARY")
    if len(validation.results) != len(suite.expectations):
        raise RuntimeError(f"{len(validation.results)} of {len(suite.expectations)} expectations gave a result")
    return [_rule(result) for result in validation.results]


def _rule(result: "ExpectationValidationResult") -> Rule:
    config = result.expectation_config
    assert config is not None  # always set on results of a suite
    description, message = config.description or config.type, ""
    if "unexpected_count" not in result.result:
        exceptions = _exception_texts(result.exception_info)
        message = f"{description}: {config.kwargs['column']} could not be checked: {exceptions}"
    elif not result.success:
        value = result.result["partial_unexpected_list"][0]
        usual_range = _range(config.kwargs.get("min_value"), config.kwargs.get("max_value"))
        message = f"not met: {description}: {config.kwargs['column']} is {value:.12g}, {usual_range}"
    counts = result.result.get("element_count"), result.result.get("unexpected_count")
    return Rule(description, bool(result.success), message, *counts)


def _range(lower: float | None, upper: float | None) -> str:
    if lower is None:
        return f"usually at most {upper:g}"
    return f"usually at least {lower:g}" + ("" if upper is None else f" and at most {upper:g}")


def _exception_texts(info: Mapping[str, Any]) -> str:
    """The messages of exceptions: `info` holds one directly, or by metric of Great Expectations."""
    exceptions = [info] if "exception_message" in info else list(info.values())
    return "; ".join(dict.fromkeys(error_text(str(each["exception_message"])) for each in exceptions))
