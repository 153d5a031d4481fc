"""Great Expectations: validates the suites of an audit. Importing this module takes seconds: only `quality.audit.suites` does,
and late.

Not here: the suites (`suites`).
"""

from collections.abc import Mapping, Sequence
from functools import cache
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
from quality.audit.formatting import error_text
from quality.audit.suites import UsualRange


@cache
def _source() -> PandasDatasource:
    """Takes frames, in a context in memory that writes no file and sends nothing."""
    context = gx.get_context(
        mode="ephemeral",
        project_config=gx_config.DataContextConfig(
            store_backend_defaults=gx_config.InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=gx_config.ProgressBarsConfig(globally=False, metric_calculations=False),
        ),
    )
    source: PandasDatasource = context.data_sources.add_pandas("candidate")
    return source


def validate_suite(name: str, ranges: Sequence[UsualRange], metrics: Mapping[str, float | None]) -> list[Rule]:
    """Validates metrics, as a pandas frame of one row, and gives one rule for each range."""
    expectations = [
        ExpectColumnValuesToBeBetween(
            column=usual.metric,
            min_value=usual.at_least,
            max_value=usual.at_most,
            description=usual.description,
            severity=FailureSeverity.WARNING,
        )
        for usual in ranges
    ]
    # A missing number is NaN, which Great Expectations leaves out.
    data = pd.DataFrame([metrics], dtype="float64")
    source = _source()
    asset = source.add_dataframe_asset(name)
    try:
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})
        suite = ExpectationSuite(name=name, expectations=list(expectations))
        results = batch.validate(suite, result_format="SUMMARY").results
    finally:
        source.delete_asset(name)
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
