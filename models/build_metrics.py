"""The metrics of a build: volumes and shares that an audit computes from its marts, to compare later builds with.

Not here: computing them (`quality.audit.metrics`), comparing builds (`quality.audit.anomalies`), storing them
(`warehouse.ledger`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

Metrics = Mapping[str, Mapping[str, float]]
"""By mart and name; a metric that could not be computed is missing."""


@dataclass(frozen=True)
class BuildMetrics:
    """The metrics of one build. `data_until` is the latest log date in it."""

    build_id: str
    data_until: date | None
    metrics: Metrics
