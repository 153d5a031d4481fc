"""The enumerations that the contracts share: logs, campaign types, statuses, reasons.

Not here: the provider vocabularies, which analysts extend (`dbt_project/seeds/provider_vocabularies.csv`).
"""

from enum import StrEnum


class Log(StrEnum):
    """The raw logs in loading order; the value is the name of the folder in the landing zone."""

    CAMPAIGNS = "campaigns"
    SENDS = "sends"
    RECEIPTS = "receipts"
    CLICKS = "clicks"
    ORDERS = "orders"
    UNSUBSCRIBES = "unsubscribes"
    EXCHANGE_RATES = "exchange_rates"


class CampaignType(StrEnum):
    SMS = "SMS"
    MMS = "MMS"


class SkipReason(StrEnum):
    """Why no message was sent to a contact."""

    SKIPPED_NO_CONTENT = "SkippedNoContent"
    SKIPPED_HYPERSONALIZATION = "SkippedHypersonalization"
    FAILED_HYPERSONALIZATION = "FailedHypersonalization"
    CONTENT_TOO_LONG = "ContentTooLong"


class OrderStatus(StrEnum):
    PLACED = "placed"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """The delivery status of a message. All statuses except `pending` are final."""

    DELIVERED = "delivered"
    PENDING = "pending"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    DELETED = "deleted"


class Attribution(StrEnum):
    """How an order is credited to a campaign."""

    DIRECT = "direct"
    ASSISTED = "assisted"


class UnconvertedReason(StrEnum):
    """Why an order has no revenue in the reporting currency."""

    NO_EXCHANGE_RATE = "no_exchange_rate"
    REVENUE_TOO_LARGE = "revenue_too_large"


class ConversionRateDenominator(StrEnum):
    """The denominator of the conversion rate, whose numerator is direct orders."""

    UNIQUE_CLICKERS = "unique_clickers"
    TOTAL_DELIVERED = "total_delivered"
    TOTAL_SENT = "total_sent"
