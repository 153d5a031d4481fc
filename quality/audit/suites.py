"""Great Expectations: the suites of an audit, which say what range a metric is usually in, and their validation.

Every expectation only warns: a volume or a share outside its usual range may still be right. Campaigns come in bursts, and
the first builds hold little of anything.

Great Expectations has no datasource for DuckDB. It gets the metrics of a mart as a pandas frame of one row, through one
context in memory that writes no file and sends nothing. Importing this module imports Great Expectations, which takes seconds:
only `quality.audit.expectations` does, and late.

Not here: rules that always hold (`dbt_project/tests`, `quality.audit.contracts`), computing the metrics
(`quality.audit.metrics`), ranges from earlier builds (`quality.audit.anomalies`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.pandas_datasource import PandasDatasource
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.metadata_types import FailureSeverity

from models.check_results import Rule
from quality.audit.anomalies import ComparedMetric
from quality.audit.formatting import error_text


def _usually(
    metric: str, description: str, *, at_least: float | None = None, at_most: float | None = None
) -> ExpectColumnValuesToBeBetween:
    return ExpectColumnValuesToBeBetween(
        column=metric, min_value=at_least, max_value=at_most, description=description, severity=FailureSeverity.WARNING
    )


VOLUMES = {
    "campaign_metrics": [
        _usually("campaigns", "there are campaigns", at_least=1),
        _usually("messages_sent", "there are messages sent", at_least=1),
        _usually("unnamed_campaigns_share", "the campaigns log knows most campaigns", at_most=0.05),
        _usually("campaigns_clicked_beyond_delivered_share", "few click-to-delivered rates are above 1", at_most=0.05),
        _usually("campaigns_converting_beyond_1_share", "few conversion rates are above 1", at_most=0.05),
        _usually("delivered_share", "most messages are delivered", at_least=0.5),
        _usually("segments_per_message", "messages are short", at_most=5),
        _usually("clickers_per_delivered", "some contacts click, most do not", at_least=0.0005, at_most=0.5),
        _usually("direct_orders_per_clicker", "most clickers do not order", at_most=0.5),
    ],
    "campaign_overview": [
        _usually("contacts", "campaigns were sent to contacts", at_least=1),
        _usually("soft_bounce_share", "few messages expire", at_most=0.15),
        _usually("hard_bounce_share", "few messages fail", at_most=0.1),
        _usually("deleted_share", "networks delete few messages", at_most=0.05),
        _usually("unsubscribe_share", "few contacts opt out", at_most=0.05),
    ],
    "delivery_status": [
        _usually("contacts", "campaigns were sent to contacts", at_least=1),
        _usually("messages_per_contact", "a campaign sends a contact few messages", at_most=5),
        _usually("pending_after_three_days_share", "few messages are pending after three days", at_most=0.1),
        _usually(
            "without_receipt_after_three_days_share", "most messages have a receipt after three days", at_most=0.1
        ),
    ],
    "skip_reasons": [
        _usually("skipped_share", "few messages are skipped", at_most=0.2),
        _usually("failed_hypersonalization_share", "Liquid markup seldom takes too long to load", at_most=0.02),
        _usually("campaigns_wholly_skipped_share", "few campaigns skip every contact", at_most=0.1),
    ],
    "attributed_unsubscribes": [
        _usually("unattributed_share", "most unsubscribes follow a message", at_most=0.2),
        _usually("without_source_share", "most unsubscribes have a source", at_most=0.5),
    ],
    "attributed_orders": [
        _usually("assists_per_order", "few campaigns assist an order", at_most=3),
        _usually("refunded_in_full_share", "few orders are refunded in full", at_most=0.2),
        _usually("campaign_never_sent_share", "the sends log has most campaigns with orders", at_most=0.05),
        _usually("widest_spread_of_a_currency", "the exchange rates of a currency are similar", at_most=2),
    ],
    "suppressed_numbers": [
        _usually("suppressed_per_contact", "few numbers are suppressed", at_most=0.02),
        _usually("suppressed_per_hard_bounce", "few hard bounces are consecutive", at_most=0.33),
    ],
    "campaigns": [
        _usually("campaigns", "there are campaigns", at_least=1),
        _usually("without_content_share", "most campaigns have a text or a picture", at_most=0.1),
        _usually("mms_without_picture_share", "most MMS campaigns have a picture", at_most=0.1),
        _usually("names_per_campaign", "most campaigns have a name of their own", at_least=0.2),
    ],
    "unconverted_orders": [
        _usually("of_attributed_orders_share", "few orders lack an exchange rate", at_most=0.1),
        _usually("currencies", "few currencies lack exchange rates", at_most=5),
    ],
    "unmapped_receipts": [
        _usually("messages_share", "the provider vocabularies know most statuses", at_most=0.02),
        _usually("kinds", "unknown statuses are a few words, not free text", at_most=200),
    ],
    "unmatched_events": [
        _usually("kinds", "there is a row for each of the three kinds", at_least=3, at_most=3),
        _usually("receipts_per_message", "most receipts have their message", at_most=0.05),
        _usually("clicks_share", "most clicks are on a campaign that was sent", at_most=0.05),
        _usually("unsubscribes_share", "most unsubscribes follow a message", at_most=0.2),
    ],
    "campaign_clicks_hourly": [_usually("busiest_hour_share", "clicks are spread over many hours", at_most=0.5)],
}


class Suites:
    """Validates the metrics of marts. All suites share a datasource in a context of its own, whatever is configured."""

    def __init__(self) -> None:
        context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
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
    return "; ".join(dict.fromkeys(error_text(str(each["exception_message"])) for each in exceptions))
