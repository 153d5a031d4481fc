"""Great Expectations: the suites of an audit, which say what range a metric is usually in, and their validation. Every one
only warns. Importing this module takes seconds: only `quality.audit.expectations` does, and late.

Not here: rules that always hold (`dbt_project/tests`, `contracts`), computing metrics (`metrics`), earlier builds
(`anomalies`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types import base as gx_config
from great_expectations.datasource.fluent.pandas_datasource import PandasDatasource
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.metadata_types import FailureSeverity

from models.check_results import Rule
from quality.audit.anomalies import USUAL_RANGES, ComparedMetric
from quality.audit.formatting import error_text


def _usually(
    metric: str, description: str, *, at_least: float | None = None, at_most: float | None = None
) -> ExpectColumnValuesToBeBetween:
    return ExpectColumnValuesToBeBetween(
        column=metric, min_value=at_least, max_value=at_most, description=description, severity=FailureSeverity.WARNING
    )


VOLUMES = {
    mart: [_usually(**entry) for entry in ranges["volumes"]]
    for mart, ranges in USUAL_RANGES.items()
    if "volumes" in ranges
}


class Suites:
    """Validates metrics as pandas frames of one row, in a context in memory that writes no file and sends nothing."""

    def __init__(self) -> None:
        context = gx.get_context(
            mode="ephemeral",
            project_config=gx_config.DataContextConfig(
                store_backend_defaults=gx_config.InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=gx_config.ProgressBarsConfig(globally=False, metric_calculations=False),
            ),
        )
        self._source: PandasDatasource = context.data_sources.add_pandas("candidate")

    def check_volumes(self, mart: str, metrics: Mapping[str, float | None]) -> list[Rule]:
        """The metrics of a mart within fixed ranges; no rule for a mart without an entry in `VOLUMES`."""
        return self._validate(f"{mart} volumes", VOLUMES.get(mart, []), metrics)

    def check_history(self, mart: str, metrics: Sequence[ComparedMetric]) -> list[Rule]:
        """The metrics of a mart within the ranges that follow from earlier builds. Metrics without a range are left out."""
        expectations = [
            _usually(metric.name, metric.description, at_least=metric.lower, at_most=metric.upper)
            for metric in metrics
            if metric.has_range
        ]
        return self._validate(f"{mart} history", expectations, {metric.name: metric.value for metric in metrics})

    def _validate(
        self, name: str, expectations: list[ExpectColumnValuesToBeBetween], metrics: Mapping[str, float | None]
    ) -> list[Rule]:
        """One rule for each expectation."""
        if not expectations:
            return []
        # A missing number is NaN, which Great Expectations leaves out.
        data = pd.DataFrame([metrics], dtype="float64")
        asset = self._source.add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})
        suite = ExpectationSuite(name=name, expectations=list(expectations))
        results = batch.validate(suite, result_format="SUMMARY").results
        if len(results) != len(expectations):
            raise RuntimeError(f"{len(results)} of {len(expectations)} expectations gave a result")
        return [_rule(result) for result in results]


def _rule(result: ExpectationValidationResult) -> Rule:
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
    return "; ".join(dict.fromkeys(error_text(str(exception["exception_message"])) for exception in exceptions))
