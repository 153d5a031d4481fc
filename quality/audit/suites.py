"""The suites of an audit: the range that each metric of a mart is usually in. Every one only warns.

Great Expectations validates a suite with a metric outside its range. Importing it takes seconds; where every metric is in its
range, its result is known without it. `tests/unit/test_audit_suites.py` compares the two.

Not here: rules that always hold (`dbt_project/tests`, `contracts`), computing metrics (`metrics`), earlier builds
(`anomalies`), Great Expectations (`validation`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.check_results import Rule
from quality.audit.anomalies import USUAL_RANGES, ComparedMetric


@dataclass(frozen=True)
class UsualRange:
    """The range that a metric is usually in; None: no bound."""

    metric: str
    description: str
    at_least: float | None = None
    at_most: float | None = None

    def contains(self, value: float | None) -> bool:
        """A missing value counts as within the range."""
        if value is None or math.isnan(value):
            return True
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


VOLUMES = {
    mart: [UsualRange(**entry) for entry in ranges["volumes"]]
    for mart, ranges in USUAL_RANGES.items()
    if "volumes" in ranges
}


def check_volumes(mart: str, metrics: Mapping[str, float | None]) -> list[Rule]:
    """The metrics of a mart within fixed ranges; no rule for a mart without an entry in `VOLUMES`."""
    return check_suite(f"{mart} volumes", VOLUMES.get(mart, []), metrics)


def check_history(mart: str, metrics: Sequence[ComparedMetric]) -> list[Rule]:
    """The metrics of a mart within the ranges that follow from earlier builds. Metrics without a range are left out."""
    ranges = [
        UsualRange(metric.name, metric.description, metric.lower, metric.upper)
        for metric in metrics
        if metric.has_range
    ]
    return check_suite(f"{mart} history", ranges, {metric.name: metric.value for metric in metrics})


def check_suite(name: str, ranges: Sequence[UsualRange], metrics: Mapping[str, float | None]) -> list[Rule]:
    """One rule for each range."""
    if all(usual.metric in metrics and usual.contains(metrics[usual.metric]) for usual in ranges):
        return [Rule(usual.description, passed=True, checked_rows=1, failing_rows=0) for usual in ranges]
    from quality.audit.validation import validate_suite

    return validate_suite(name, ranges, metrics)
