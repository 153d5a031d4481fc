"""Explains one campaign, message, order or contact: its rows in the lake, the rules that applied, its figures. Figures are
computed from the lake as it is now and compared with the published ones. Lists are cut; mobile numbers are masked.

Not here: how rows become figures (`id_build`), how an explanation is printed (`orchestration.cli.output.explanations`).
"""

from collections.abc import Callable
from functools import partial

import duckdb

from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import fetch_row, literal
from warehouse.explain.campaign import explain_campaign
from warehouse.explain.contact import explain_contact
from warehouse.explain.explanation import Basis, Explanation, Queries, UnknownId
from warehouse.explain.id_build import IdBuild
from warehouse.explain.message import explain_message
from warehouse.explain.order import explain_order
from warehouse.ledger import Ledger
from warehouse.transform.build import too_large_sum

_EXPLAIN: dict[str, Callable[[Queries], bool]] = {
    "campaign": explain_campaign,
    "message": explain_message,
    "order": explain_order,
    "contact": explain_contact,
}
"""By kind of id, the function that fills an explanation; it returns false if no row of the lake has the id."""


class Explainer:
    """Explains one id at a time. It reads the lake, the quarantine and the published marts, and takes no lock."""

    def __init__(
        self,
        settings: Settings,
        paths: DataPaths,
        ledger: Ledger,
        connection: duckdb.DuckDBPyConnection,
        is_candidate_current: Callable[[], bool],
    ) -> None:
        """Prepares a connection for itself alone. Raises UnknownId if nothing is loaded, BuildFailed if dbt cannot compile."""
        if not paths.has_lake():
            raise UnknownId("Nothing has been loaded yet")
        has_published = paths.published_marts.exists()
        if has_published:
            attach_published(connection, paths)
        self.basis = _basis(ledger, connection if has_published else None, is_candidate_current)
        self._connection, self._paths = connection, paths
        self._id_build = IdBuild(connection, settings, paths)
        rules = self._id_build.deduplication
        self._queries = partial(Queries, settings, paths, ledger, connection, rules, has_published)

    def explain(self, kind: str, key: str) -> Explanation:
        """Explains a campaign, message, order or contact.

        Raises:
            UnknownId: no row of the lake has the id.
            SumTooLarge: the revenue of a campaign does not fit its type.
        """
        try:
            return self._explain(kind, key)
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
            raise too_large_sum(self._connection, self._paths) or error from error

    def _explain(self, kind: str, key: str) -> Explanation:
        self._id_build.build(kind, "select $key::varchar", {"key": key})
        explanation = Explanation(kind, key, self.basis)
        queries = self._queries(explanation)
        is_known = _EXPLAIN[kind](queries)
        queries.add_quarantined()
        if not is_known:
            has_sources = any(file.source for file in queries.ledger.files())
            raise UnknownId(unknown_id(explanation, has_sources=has_sources))
        return explanation


def _basis(
    ledger: Ledger, published: duckdb.DuckDBPyConnection | None, is_candidate_current: Callable[[], bool]
) -> Basis:
    data_until = ledger.data_until()
    if published is None:
        return Basis(None, None, False, data_until)
    build_id, published_at = fetch_row(published, "select build_id, published_at from published.marts.build_info")
    last_publication, candidate = ledger.last_publication(), ledger.candidate()
    is_last_publication = last_publication is not None and last_publication[0] == build_id
    is_candidate = candidate is not None and candidate.build_id == build_id
    is_current = is_last_publication and is_candidate and is_candidate_current()
    return Basis(build_id, published_at, is_current, data_until)


def attach_published(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the published marts, as `published.marts`."""
    connection.execute(f"attach {literal(paths.published_marts)} as published (read_only)")


def unknown_id(explanation: Explanation, *, has_sources: bool) -> str:
    """The message that no row of the lake has the id, with what the quarantine knows. `has_sources`: sources gave rows."""
    kind, key, data_until = explanation.kind, explanation.key, explanation.basis.data_until
    message = f"No {kind} {key!r} is in the lake; logs are loaded until {data_until}."
    if not explanation.listings:
        of_sources = (
            " A source may put its ids together from several fields (sendmart sources show NAME): for a rejected record, search"
            " raw_row in published/quarantine.duckdb for one of the fields."
        )
        nowhere = f"{message} No row in quarantine contains it either. Ids are case-sensitive."
        return nowhere + of_sources if has_sources else nowhere
    (quarantined,) = explanation.listings
    log, source_file, row_number, reasons = quarantined.rows[0]
    return (
        f"{message} {quarantined.total} rows in quarantine contain it, the first in {log}/{source_file}, row"
        f" {row_number}: {reasons}"
    )
