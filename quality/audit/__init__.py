"""The audit of a candidate build: what its marts are held to before anyone reads them.

`contracts` holds the rows of every mart to its pandera contract, `expectations` holds campaigns, statuses and totals
to Great Expectations suites (`suites`) over small frames that DuckDB computes (`frames`, `figures`), and figures to what
earlier builds make ordinary (`history`). Both only read the candidate and answer with check results; `wording` says how
failures are put, and keeps mobile numbers out of them; `page` shows all of it to a person.

Not here: the contracts themselves (`models.marts`), tests of single models (`dbt_project/`), keeping results
(`warehouse.ledger`), and what follows from them (`quality.gate`).
"""

from models.marts import DBT_MARTS

KINDS = ("contract", "invariants", "volumes", "history")
"""The kinds of checks that every mart is held to; a result's name is its kind and its mart."""


def expected_checks() -> set[str]:
    """The names of all results that an audit must give."""
    return {f"{kind}_{mart}" for kind in KINDS for mart in DBT_MARTS}
