"""The results of checks: dbt tests, mart contracts and expectations.

Not here: running checks (`quality/`, `dbt_project/`), storing their results (`warehouse.ledger`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    """One rule of a check, and its result.

    `message` says how the rule is broken. `example_keys` holds the keys of some failing rows, mobile numbers masked. A
    count is None where the check does not give it.
    """

    description: str
    passed: bool
    message: str = ""
    checked_rows: int | None = None
    failing_rows: int | None = None
    example_keys: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of a build.

    A failed check blocks publication if `is_blocking`, and warns otherwise. `detail` says what failed and where the
    failing rows are. `rules` are the rules of the check; the ledger does not store them.
    """

    name: str
    is_blocking: bool
    passed: bool
    detail: str = ""
    rules: tuple[Rule, ...] = field(default=(), compare=False, repr=False)
