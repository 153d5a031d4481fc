"""The figures of a build: what an audit read off its marts, and what later builds are held against.

Not here: how they are computed (`quality.audit.metrics`), what follows from them (`quality.audit.anomalies`), keeping them
(`warehouse.ledger`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

Figures = Mapping[str, Mapping[str, float]]
"""By mart and name; a figure that could not be taken is missing."""


@dataclass(frozen=True)
class BuildFigures:
    """The figures of one build. `data_until` is the latest log date that it knew of."""

    build_id: str
    data_until: date | None
    figures: Figures
