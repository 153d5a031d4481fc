"""The closed sets of words that the contracts share: logs, campaign types, statuses, reasons.

Not here: how providers word a receipt, which is data that an analyst extends (`dbt_project/seeds/provider_vocabularies.csv`).
"""

from enum import StrEnum


class Log(StrEnum):
    """The raw logs, in the order in which they are loaded; the value is the folder's name in the landing zone."""

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
    """Why a contact was skipped: nothing was sent to it."""

    SKIPPED_NO_CONTENT = "SkippedNoContent"
    SKIPPED_HYPERSONALIZATION = "SkippedHypersonalization"
    FAILED_HYPERSONALIZATION = "FailedHypersonalization"
    CONTENT_TOO_LONG = "ContentTooLong"


class OrderStatus(StrEnum):
    PLACED = "placed"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """Where a message stands with the network. All but `pending` are final."""

    DELIVERED = "delivered"
    PENDING = "pending"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    DELETED = "deleted"


class Attribution(StrEnum):
    """How an order is credited to a campaign."""

    DIRECT = "direct"
    ASSISTED = "assisted"


class ConversionRateDenominator(StrEnum):
    """What direct orders are divided by to give the conversion rate."""

    UNIQUE_CLICKERS = "unique_clickers"
    TOTAL_DELIVERED = "total_delivered"
    TOTAL_SENT = "total_sent"
