"""Whom not to send to again: contacts who unsubscribed, numbers that are suppressed, and those that failed for good.

It is only a file, which the page of suppressed numbers offers. It reads all rows of delivery_status.

Not here: the page of suppressed numbers (`reports.queries.listings.people`).
"""

import threading
from dataclasses import replace

from models.marts import NUMBER
from reports.database import INSIGHTS, MARTS, Published, Row
from reports.queries.listings.delivery import CONTACT
from reports.queries.listings.delivery import NUMBER as NUMBER_COLUMN
from reports.queries.listings.listing import Listing, Shown, words_sql
from reports.words import FAILURE_REASONS

_UNSUBSCRIBED, _SUPPRESSED, _FAILED = "Unsubscribed", "Suppressed after hard bounces", "Failed for good"

# Over contacts, not over messages: a later message may have arrived.
_PERMANENT = f"""
    union all
    select contact_id, {NUMBER}, max(status_at), '{_FAILED}: ' || arg_max({words_sql("reason", FAILURE_REASONS)}, status_at),
        arg_max(advice, status_at)
    from {MARTS}.delivery_status as statuses
    join (
        select campaign_id, delivery_status, provider, provider_status, error_code, any_value(reason) as reason,
            any_value(advice) as advice
        from {INSIGHTS}.delivery_failures where is_permanent group by all
    ) as failures on statuses.campaign_id = failures.campaign_id
        and statuses.delivery_status = failures.delivery_status
        and lower(statuses.provider) = failures.provider and statuses.provider_status = failures.provider_status
        and statuses.error_code is not distinct from failures.error_code
    where statuses.delivery_status in ('soft_bounce', 'hard_bounce', 'deleted')
    group by contact_id, {NUMBER}"""


def _rows(permanent: str) -> str:
    """A row for each contact and number. An unsubscribe is of all numbers of its contact; a contact may have no other row."""
    return f"""
        with reasons as (
            select contact_id, {NUMBER}, suppressed_at as since, '{_SUPPRESSED}' as reason, null as advice
            from {MARTS}.suppressed_numbers
            union all
            select contact_id, null, max(unsubscribed_at), '{_UNSUBSCRIBED}', null
            from {MARTS}.attributed_unsubscribes group by contact_id
            {permanent}
        ),
        numbers as (select distinct contact_id, {NUMBER} from reasons where {NUMBER} is not null)
        select reasons.contact_id, coalesce(reasons.{NUMBER}, numbers.{NUMBER}) as {NUMBER},
            string_agg(reason, '; ' order by reason desc) as reasons, max(advice) as advice, max(since) as since
        from reasons
        left join numbers on if(reasons.{NUMBER} is null, reasons.contact_id, null) = numbers.contact_id
        group by all"""


_WITHOUT_INSIGHTS = Listing(
    path="/people/not-again",
    title="Whom not to send to again",
    noun=("contact", "contacts"),
    mart="attributed_unsubscribes",
    intro=(),
    empty="",
    rows=_rows(""),
    columns=(
        CONTACT,
        NUMBER_COLUMN,
        Shown("reasons", "Why", "long_text", note=Shown("advice", "What to do", "long_text")),
        Shown("since", "Since", "moment"),
    ),
    order=("since", True),
    key=("contact_id", NUMBER),
    has_campaigns=False,
)
_WITH_INSIGHTS = replace(_WITHOUT_INSIGHTS, rows=_rows(_PERMANENT))

CSV_PATH = _WITHOUT_INSIGHTS.csv_path

_counts: dict[tuple[str, ...], Row] = {}
_lock = threading.Lock()


def not_again(published: Published) -> Listing:
    """The list. Without the insights, it does not have failures for good."""
    return _WITH_INSIGHTS if published.has("insights", "delivery_failures") else _WITHOUT_INSIGHTS


def counts(published: Published) -> Row:
    """The rows of the list, and those of each reason; counted once for each build."""
    build = (published.info["build_id"], str(published.info["published_at"]), str(published.is_masked))
    with _lock:
        if build not in _counts:
            (row,) = published.rows(
                "select count(*) as all_rows, count(distinct contact_id) as contacts,"
                f" count(*) filter (contains(reasons, '{_SUPPRESSED}')) as suppressed,"
                f" count(*) filter (contains(reasons, '{_UNSUBSCRIBED}')) as unsubscribed,"
                f" count(*) filter (contains(reasons, '{_FAILED}')) as failed from ({not_again(published).rows})"
            )
            _counts.clear()
            _counts[build] = row
        return _counts[build]
