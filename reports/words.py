"""The words of the pages for values that the marts hold as codes.

Not here: labels of columns (`models.labels`), formats of numbers and times (`reports.formatting`).
"""

from babel import Locale

from models.enums import AttributionModel, BotRule, DeliveryStatus, FailureReason, SkipReason, UnconvertedReason

FAILURE_REASONS = {
    FailureReason.INVALID_NUMBER: "The number is not valid",
    FailureReason.INACTIVE_NUMBER: "The number is no longer in use",
    FailureReason.UNREACHABLE: "The phone could not be reached",
    FailureReason.INCAPABLE_DEVICE: "The device cannot receive such messages",
    FailureReason.BLOCKED_BY_CARRIER: "The network blocked the message",
    FailureReason.CONTENT_FILTERED: "A filter refused the text",
    FailureReason.INVALID_CONTENT: "The message was not valid",
    FailureReason.SENDER_NOT_REGISTERED: "The sender is not registered there",
    FailureReason.OPTED_OUT: "The contact had opted out with the provider",
    FailureReason.EXPIRED: "The time allowed for delivery ran out",
    FailureReason.RATE_LIMITED: "Too many messages at once",
    FailureReason.INSUFFICIENT_FUNDS: "The account with the provider had no credit",
    FailureReason.ACCOUNT_PROBLEM: "The account with the provider has a problem",
    FailureReason.NETWORK_ERROR: "The network or the provider had a fault",
    FailureReason.UNKNOWN: "The provider gave no known reason",
}

SKIP_REASONS = {
    SkipReason.SKIPPED_NO_CONTENT: "The campaign had no content",
    SkipReason.SKIPPED_HYPERSONALIZATION: "The campaign's own rules left the contact out",
    SkipReason.FAILED_HYPERSONALIZATION: "Personalizing the message took too long",
    SkipReason.CONTENT_TOO_LONG: "The message was too long",
}

BOT_RULES = {
    BotRule.USER_AGENT: "A known bot, link preview or scanner",
    BotRule.TOO_FAST: "Sooner after the message than a person clicks",
    BotRule.SWEEP: "Several links within a second",
}

ATTRIBUTION_MODELS = {
    AttributionModel.FIRST: "First click",
    AttributionModel.LAST: "Last click",
    AttributionModel.LINEAR: "All clicks evenly",
    AttributionModel.POSITION: "First and last most",
    AttributionModel.TIME_DECAY: "Recent clicks more",
}

DELIVERY_STATUSES = {
    DeliveryStatus.DELIVERED: "Delivered",
    DeliveryStatus.PENDING: "Pending",
    DeliveryStatus.SOFT_BOUNCE: "Soft bounce",
    DeliveryStatus.HARD_BOUNCE: "Hard bounce",
    DeliveryStatus.DELETED: "Deleted number",
}

COUNTRIES: dict[str, str] = {
    code: str(name) for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()
}
"""The names of countries in English, by their two-letter codes; XK, AC and TA are among them."""

UNCONVERTED_REASONS = {
    UnconvertedReason.NO_EXCHANGE_RATE: "no exchange rate",
    UnconvertedReason.REVENUE_TOO_LARGE: "the amount is too large",
}
