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


class FailureReason(StrEnum):
    """Why a message was not delivered, in one language for all providers."""

    INVALID_NUMBER = "invalid_number"
    INACTIVE_NUMBER = "inactive_number"
    UNREACHABLE = "unreachable"
    INCAPABLE_DEVICE = "incapable_device"
    BLOCKED_BY_CARRIER = "blocked_by_carrier"
    CONTENT_FILTERED = "content_filtered"
    INVALID_CONTENT = "invalid_content"
    SENDER_NOT_REGISTERED = "sender_not_registered"
    OPTED_OUT = "opted_out"
    EXPIRED = "expired"
    RATE_LIMITED = "rate_limited"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ACCOUNT_PROBLEM = "account_problem"
    NETWORK_ERROR = "network_error"
    UNKNOWN = "unknown"


class BotRule(StrEnum):
    """The rule by which a click counts as one of a bot; the first that applies."""

    USER_AGENT = "user_agent"
    TOO_FAST = "too_fast"
    SWEEP = "sweep"


class BotClicks(StrEnum):
    """Whether clicks of bots count in the figures of the marts."""

    COUNT = "count"
    EXCLUDE = "exclude"


class AttributionModel(StrEnum):
    """How the revenue of an order is divided among the clicks that led to it."""

    FIRST = "first"
    LAST = "last"
    LINEAR = "linear"
    POSITION = "position"
    TIME_DECAY = "time_decay"


class Clock(StrEnum):
    """The day on which an event counts: that of its message, or its own."""

    SENT = "sent"
    EVENT = "event"


class Figure(StrEnum):
    """The figures that grow as later logs arrive."""

    DELIVERED = "delivered"
    FAILED = "failed"
    CLICKS = "clicks"
    DIRECT_ORDERS = "direct_orders"
