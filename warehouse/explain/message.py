"""Explains a message: its send, its receipts, and the receipt that decides its status.

Not here: how receipts decide (`dbt_project/macros/resolved_messages.sql`).
"""

from models.enums import DeliveryStatus, Log
from warehouse.explain.evidence import CAME_IN, Evidence
from warehouse.explain.explanation import Explanation

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

_ROW_COLUMNS = (
    "if(row_rank = 1, 'kept', '') as kept, "
    f"campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason, {CAME_IN}"
)


def explain_message(evidence: Evidence, explanation: Explanation) -> bool:
    """Fills an explanation; false if no row of the lake has the id."""
    has_rows = evidence.add_list(
        explanation,
        "Rows of the sends log",
        "from sends_rows order by row_rank",
        _ROW_COLUMNS,
    )
    has_receipts = evidence.add_list(
        explanation,
        "Receipts, the deciding one first, then the latest; repeated ones once",
        f"from ({_RECEIPTS})",
        "provider, provider_status, error_code, occurred_at, delivery_status, vocabulary_row, copies,"
        " first_row.source_file || ', row ' || first_row.row_number as came_in",
    )
    if not has_rows:
        if has_receipts:
            explanation.rules.append(
                "The message is not in the sends log: its receipts count in unmatched_events until it is"
            )
            return True
        return False
    explanation.rules.append(evidence.kept_row(Log.SENDS))
    (message,) = evidence.records("from messages")
    if not message["is_sent"]:
        explanation.conclusion = {name: message[name] for name in ("campaign_id", "contact_id", "skip_reason")}
        explanation.rules.append("The message was skipped: it counts in skip_reasons only")
        evidence.add_published(explanation, "skip_reasons", "message_id")
        return True
    names = ("campaign_id", "contact_id", "delivery_status", "status_at", "provider", "provider_status", "error_code")
    explanation.conclusion = {name: message[name] for name in names}
    explanation.rules.append(_deciding_receipt(evidence))
    if not evidence.add_published(explanation, "delivery_status", "message_id") and evidence.has_published:
        deciding_messages = evidence.records(
            "select delivery_status, message_id from published.marts.delivery_status"
            " where campaign_id = $campaign and contact_id = $contact",
            {"campaign": message["campaign_id"], "contact": message["contact_id"]},
        )
        explanation.rules += [
            f"The contact's status in the campaign, {row['delivery_status']}, is decided by another message:"
            f" {row['message_id']}"
            for row in deciding_messages
        ]
    return True


def _deciding_receipt(evidence: Evidence) -> str:
    receipts = evidence.records(_RECEIPTS)
    if not receipts or not receipts[0]["is_deciding"]:
        return "No receipt decides: none came, or the vocabulary maps none of them. The message is pending since it was sent"
    deciding, others = receipts[0], receipts[1:]
    if deciding["delivery_status"] == DeliveryStatus.DELIVERED:
        rule = "The message was delivered: the earliest delivered receipt decides, whatever came later"
    elif deciding["delivery_status"] == DeliveryStatus.PENDING:
        rule = "No final receipt came: the latest pending one decides"
    else:
        rule = "The message was never delivered: the latest final receipt decides"
    moment = (_rank_of_status(deciding["delivery_status"]), deciding["occurred_at"])
    if any((_rank_of_status(other["delivery_status"]), other["occurred_at"]) == moment for other in others):
        rule += (
            "; of several at that moment, deleted before hard_bounce before soft_bounce, then the greatest provider,"
            " provider_status, error_code"
        )
    return rule


def _rank_of_status(status: str | None) -> str | None:
    """Receipts whose statuses have the same rank are decided between by time."""
    is_single = status in (None, DeliveryStatus.DELIVERED, DeliveryStatus.PENDING)
    return status if is_single else "final"
