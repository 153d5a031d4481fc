"""What a check says, whoever carried it out: dbt tests, mart contracts, expectations.

Not here: carrying checks out (`quality/`, `dbt_project/`), keeping what they said (`warehouse.ledger`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of a build.

    `is_blocking`: a failure holds publication back; otherwise it warns. `detail` says what was found, and where the rows
    that were found can be looked at.
    """

    name: str
    is_blocking: bool
    passed: bool
    detail: str = ""
