"""Explains a message: its send, its receipts, and the receipt that decides its status.

Not here: how receipts decide (`dbt_project/macros/resolved_messages.sql`).
"""

from datetime import datetime
from typing import Any

from models.enums import DeliveryStatus, Log
from warehouse.duckdb_tools import masked_id
from warehouse.explain.explanation import Queries, came_in

_RECEIPTS = """
    with receipts as (
        select message_id, provider, provider_status, error_code, occurred_at, count(*) as copies,
            min({'log_date': log_date, 'source_file': source_file, 'row_number': row_number}) as first_row
        from build.staging.stg_logs__receipts
        group by all
    ),
    mapped_receipts as (
        select receipts.*, cast(statuses.delivery_status as varchar) as delivery_status, statuses.vocabulary_row,
            statuses.provider_status_id
        from receipts
        left join build.intermediate.int_provider_statuses_mapped as statuses
            on receipts.provider = statuses.provider and receipts.provider_status = statuses.provider_status
            and receipts.error_code is not distinct from statuses.error_code
    )
    select receipts.*,
        coalesce(
            receipts.provider_status_id = messages.provider_status_id and receipts.occurred_at = messages.status_at, false
        ) as is_deciding
    from mapped_receipts as receipts
    left join build.intermediate.int_messages_resolved as messages using (message_id)
    order by is_deciding desc, occurred_at desc, provider, provider_status, error_code"""
"""The receipts of the messages, each once: the deciding one, then the others, the latest first."""

_PUBLISHED_ID = (
    f"if(starts_with(message_id, {masked_id('$key::varchar')} || '~')"
    " and (campaign_id, contact_id) in (select (campaign_id, contact_id) from messages), $key, message_id)"
)
"""The id of a published message: in a build with masked numbers, the one in the id is masked, and a hash follows."""

_FIGURES = ("campaign_id", "contact_id", "delivery_status", "status_at", "provider", "provider_status", "error_code")


def explain_message(queries: Queries) -> bool:
    explanation = queries.explanation
    columns = "campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason"
    has_rows = queries.add_rows_of_log(Log.SENDS, columns)
    has_receipts = queries.add_list(
        "Receipts, the deciding one first, then the latest; repeated ones once",
        "provider, provider_status, error_code, occurred_at, delivery_status, vocabulary_row, copies,"
        f" {came_in(Log.RECEIPTS, 'first_row.')}",
        f"from ({_RECEIPTS})",
    )
    if not has_rows:
        if has_receipts:
            queries.add_rules("The message is not in the sends log: its receipts count in unmatched_events until it is")
        return has_receipts
    queries.add_rules(queries.kept_row(Log.SENDS))
    (message,) = queries.records("from messages")
    if not message["is_sent"]:
        explanation.conclusion = {name: message[name] for name in ("campaign_id", "contact_id", "skip_reason")}
        queries.add_rules("The message was skipped: it counts in skip_reasons only")
        queries.add_published("skip_reasons", _PUBLISHED_ID)
        return True
    explanation.conclusion = {name: message[name] for name in _FIGURES}
    queries.add_rules(_deciding_receipt(queries.records(_RECEIPTS)))
    if not queries.add_published("delivery_status", _PUBLISHED_ID) and queries.has_published:
        deciding_messages = queries.records(
            "select delivery_status, message_id from published.marts.delivery_status"
            " semi join messages using (campaign_id, contact_id)"
        )
        queries.add_rules(
            *(
                f"The contact's status in the campaign, {row['delivery_status']}, is decided by another message:"
                f" {row['message_id']}"
                for row in deciding_messages
            )
        )
    return True


def _deciding_receipt(receipts: list[dict[str, Any]]) -> str:
    """The rule that decided between the receipts, which are in the order of `_RECEIPTS`."""
    if not receipts or not receipts[0]["is_deciding"]:
        return "No receipt decides: none came, or the vocabulary maps none of them. The message is pending since it was sent"
    deciding, other_receipts = receipts[0], receipts[1:]
    rule = {
        DeliveryStatus.DELIVERED: "The message was delivered: the earliest delivered receipt decides, whatever came later",
        DeliveryStatus.PENDING: "No final receipt came: the latest pending one decides",
    }.get(deciding["delivery_status"], "The message was never delivered: the latest final receipt decides")
    if _moment(deciding) in map(_moment, other_receipts):
        rule += (
            "; of several at that moment, deleted before hard_bounce before soft_bounce, then the greatest provider,"
            " provider_status, error_code"
        )
    return rule


def _moment(receipt: dict[str, Any]) -> tuple[str | None, datetime]:
    """Between receipts whose statuses have the same rank, time decides: the rank, and the time."""
    status = receipt["delivery_status"]
    is_single = status in (None, DeliveryStatus.DELIVERED, DeliveryStatus.PENDING)
    return status if is_single else "final", receipt["occurred_at"]
