"""What a check says, whoever carried it out: dbt tests, mart contracts, expectations.

Not here: carrying checks out (`quality/`, `dbt_project/`), keeping what they said (`warehouse.ledger`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    """One rule of a check, as it was looked at: what it says, and how many of how many rows broke it.

    `found` says what was found where it does not hold; `keys` names a few of the rows, mobile numbers masked. Counts are
    None where whoever carried it out does not tell.
    """

    says: str
    passed: bool
    found: str = ""
    looked_at: int | None = None
    failing: int | None = None
    keys: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of a build.

    `is_blocking`: a failure holds publication back; otherwise it warns. `detail` says what was found, and where the rows
    that were found can be looked at. `rules` is what the check is made of; it is told, and not recorded.
    """

    name: str
    is_blocking: bool
    passed: bool
    detail: str = ""
    rules: tuple[Rule, ...] = field(default=(), compare=False, repr=False)
