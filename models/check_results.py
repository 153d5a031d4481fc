"""The results of an audit: of checks (dbt tests, mart contracts, expectations), and the metrics of the build.

Not here: running checks and computing metrics (`quality/`, `dbt_project/`), storing them (`warehouse.ledger`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

Metrics = Mapping[str, Mapping[str, float]]
"""Volumes and shares of a build, by mart and name, to compare later builds with; one that could not be computed is missing."""


MAX_EXAMPLES = 5
"""The most failing rows, or kinds of problem, that the detail of a check names."""


@dataclass(frozen=True)
class Rule:
    """One rule of a check. `message` says how it is broken; `example_keys` are keys of failing rows, mobile numbers masked. A
    count that the check does not give is None.
    """

    description: str
    passed: bool
    message: str = ""
    checked_rows: int | None = None
    failing_rows: int | None = None
    example_keys: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of a build: it blocks publication or warns. `detail` says what failed and where; the ledger
    does not store the `rules`.
    """

    name: str
    is_blocking: bool
    passed: bool
    detail: str = ""
    rules: tuple[Rule, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class BuildMetrics:
    """The metrics of one build. `data_until` is the latest log date in it."""

    build_id: str
    data_until: date | None
    metrics: Metrics
