"""The columns of the seven raw logs, and the rule of each: data only.

Not here: how a text is checked (`values`), rules on two columns of a row (`admission`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    required: bool = False
    # For decimals: digits before and after the point.
    digits: tuple[int, int] | None = None
    # Inclusive bounds; `above` excludes its bound.
    least: int | None = None
    greatest: int | None = None
    above: int | None = None
    one_of: tuple[str, ...] | None = None


SKIP_REASONS = ("SkippedNoContent", "SkippedHypersonalization", "FailedHypersonalization", "ContentTooLong")


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


LOGS: dict[str, dict[str, Column]] = {
    "campaigns": _columns(
        Column("campaign_id", "id", required=True),
        Column("campaign_name", "string", required=True),
        Column("campaign_type", "upper", required=True, one_of=("SMS", "MMS")),
        Column("body", "string"),
        Column("media_url", "string"),
        Column("sender", "string"),
        Column("max_segments", "integer", least=1),
        Column("modified_by", "string", required=True),
        Column("modified_at", "timestamp", required=True),
    ),
    "sends": _columns(
        Column("message_id", "id", required=True),
        Column("campaign_id", "id", required=True),
        Column("contact_id", "id", required=True),
        Column("mobile_number", "phone", required=True),
        Column("sent_at", "timestamp", required=True),
        # Required unless skipped.
        Column("segments", "integer", least=1, greatest=255),
        Column("skip_reason", "string", one_of=SKIP_REASONS),
        Column("provider", "string"),
        Column("cost", "decimal", digits=(12, 6), least=0),
        # Required with a cost.
        Column("cost_currency", "currency"),
    ),
    "receipts": _columns(
        Column("message_id", "id", required=True),
        Column("provider", "string"),
        Column("provider_status", "string", required=True),
        Column("error_code", "string"),
        Column("occurred_at", "timestamp", required=True),
        Column("received_at", "timestamp"),
    ),
    "clicks": _columns(
        Column("click_id", "id", required=True),
        Column("campaign_id", "id", required=True),
        Column("contact_id", "id", required=True),
        Column("message_id", "id"),
        Column("url", "string"),
        Column("clicked_at", "timestamp", required=True),
        Column("user_agent", "string"),
    ),
    "orders": _columns(
        Column("order_id", "id", required=True),
        Column("contact_id", "id", required=True),
        Column("ordered_at", "timestamp", required=True),
        Column("total", "decimal", required=True, digits=(14, 4), least=0),
        # At most the total.
        Column("refunded_amount", "decimal", digits=(14, 4), least=0),
        Column("currency", "currency", required=True),
        Column("status", "string", required=True, one_of=("placed", "cancelled")),
        Column("updated_at", "timestamp", required=True),
    ),
    "unsubscribes": _columns(
        Column("contact_id", "id", required=True),
        Column("unsubscribed_at", "timestamp", required=True),
        Column("mobile_number", "phone"),
        Column("source", "string"),
    ),
    "exchange_rates": _columns(
        Column("rate_date", "date", required=True),
        Column("currency", "currency", required=True),
        Column("rate", "decimal", required=True, digits=(10, 10), above=0),
        Column("base_currency", "currency"),
    ),
}
