"""The contracts of the insights, the marts of the schema `insights`: what campaigns cost, why and where messages fail, which
clicks are human, what other settings would give. Types are those of the other marts; costs are DECIMAL(18,6), durations are
milliseconds, rounded down.

Not here: how the figures are computed, and rules between columns and marts (`dbt_project/`); the other marts (`models.marts`).
"""

import polars as pl

from models.contracts import Cost, Mart, MartContract, Money, Timestamp, always, count, maybe
from models.enums import AttributionModel, BotRule, CampaignType, Clock, DeliveryStatus, FailureReason, Figure

_FAILED = [DeliveryStatus.SOFT_BOUNCE, DeliveryStatus.HARD_BOUNCE, DeliveryStatus.DELETED]
_PROVIDER = (
    "The provider in lower case: of the deciding receipt, else as the sends log names it; null where neither does."
)
_COUNTRY = (
    "Country of the number (ISO 3166-1 alpha-2, with XK, AC and TA), by the seed number_prefixes; null with no match."
)
_CONVERTED = "Cost in the reporting currency of those whose cost could be converted; null where none has one."
_REVENUE = "Revenue of these direct orders, less refunds; those that could not be converted add 0.00."


class CampaignEconomics(MartContract):
    """What each campaign cost and brought in. Grain: one row per campaign of campaign_metrics."""

    campaign_id: pl.String = always("The campaign.")
    messages_costed: pl.Int64 = count("Its sent messages with a cost in the reporting currency, or converted to it.")
    messages_cost_unconverted: pl.Int64 = count(
        "Its sent messages whose cost could not be converted: no exchange rate, or too large. They are in no sum."
    )
    messages_without_cost: pl.Int64 = count("Its sent messages without a cost.")
    cost_coverage: pl.Float64 = maybe("messages_costed / total_sent.", ge=0, le=1)
    cost: Cost = maybe(
        "Cost of its messages, in the reporting currency. This and all columns of costs are null if messages_costed is 0.",
        ge=0,
    )
    cost_of_delivered: Cost = maybe("Cost of its delivered messages.", ge=0)
    cost_of_failed: Cost = maybe("Cost of its messages with status soft_bounce, hard_bounce or deleted.", ge=0)
    cost_of_pending: Cost = maybe("Cost of its pending messages.", ge=0)
    cost_per_message: pl.Float64 = maybe("cost / messages_costed.", ge=0)
    cost_per_delivered: pl.Float64 = maybe("cost / total_delivered.", ge=0)
    cost_per_unique_clicker: pl.Float64 = maybe("cost / unique_clickers.", ge=0)
    cost_per_direct_order: pl.Float64 = maybe("cost / direct_orders.", ge=0)
    revenue: Money = always("Revenue of its direct orders, in the reporting currency.", ge=0)
    profit: Money = maybe("revenue - cost, the cost rounded to two places.")
    roi: pl.Float64 = maybe("(revenue - cost) / cost; null if the cost is 0.")
    revenue_per_message: pl.Float64 = maybe("revenue / total_sent.", ge=0)
    revenue_per_delivered: pl.Float64 = maybe("revenue / total_delivered.", ge=0)
    revenue_per_recipient: pl.Float64 = maybe("revenue / unique_sends.", ge=0)
    average_order_value: pl.Float64 = maybe("revenue / direct orders that could be converted.", ge=0)
    segments_per_message: pl.Float64 = maybe("total_segments / total_sent.", ge=0)


class DeliveryFailures(MartContract):
    """Why messages failed. Grain: one row per campaign, delivery status, provider, provider status and error code."""

    campaign_id: pl.String = always("The campaign.")
    delivery_status: pl.String = always("Status of the messages.", isin=_FAILED)
    provider: pl.String = always("The provider of the deciding receipt, in lower case.")
    provider_status: pl.String = always("Status of the deciding receipt, in the provider's word.")
    error_code: pl.String = maybe("The deciding receipt's error code; null where it has none.")
    reason: pl.String = always(
        "Why, by the seed failure_reasons. The first row that matches counts: status and code, code alone, status alone."
        " unknown: no row matches, or the row says so.",
        isin=list(FailureReason),
    )
    is_permanent: pl.Boolean = maybe("Another message would fail as well; null if no row of failure_reasons matches.")
    advice: pl.String = maybe("What to do about it; null if no row of failure_reasons matches.")
    messages: pl.Int64 = always("Messages.", ge=1)
    contacts: pl.Int64 = always("Contacts they were sent to.", ge=1)
    share_of_failures: pl.Float64 = always("messages / all failed messages of the campaign.", ge=0, le=1)
    cost: Cost = maybe(_CONVERTED, ge=0)
    first_status_at: Timestamp = always("When the first of the deciding receipts took place.")
    last_status_at: Timestamp = always("When the last of them took place.")


class DeliveryRoutes(MartContract):
    """How well and how fast messages arrive. Grain: one row per campaign, country and provider."""

    campaign_id: pl.String = always("The campaign.")
    country: pl.String = maybe(_COUNTRY)
    provider: pl.String = maybe(_PROVIDER)
    messages: pl.Int64 = always("Sent messages.", ge=1)
    delivered: pl.Int64 = count("Messages with status delivered.")
    pending: pl.Int64 = count("Messages with status pending.")
    soft_bounces: pl.Int64 = count("Messages with status soft_bounce.")
    hard_bounces: pl.Int64 = count("Messages with status hard_bounce.")
    deleted: pl.Int64 = count("Messages with status deleted.")
    without_receipt: pl.Int64 = count("Messages without any receipt, mapped or not.")
    receipt_ratio: pl.Float64 = always("(messages - without_receipt) / messages.", ge=0, le=1)
    final_ratio: pl.Float64 = always("(messages - pending) / messages.", ge=0, le=1)
    delivery_rate: pl.Float64 = always("delivered / messages.", ge=0, le=1)
    segments: pl.Int64 = count("Segments of the messages.")
    cost: Cost = maybe(_CONVERTED, ge=0)
    timed: pl.Int64 = count(
        "Delivered messages whose receipt is not earlier than the message. The times are over these."
    )
    clock_skewed: pl.Int64 = count("Delivered messages whose receipt is earlier than the message: the clocks differ.")
    p50_ms: pl.Int64 = maybe(
        "Median time to delivery, in milliseconds (nearest rank); null with no timed message.", ge=0
    )
    p90_ms: pl.Int64 = maybe("90th percentile of it.", ge=0)
    p95_ms: pl.Int64 = maybe("95th percentile of it.", ge=0)
    p99_ms: pl.Int64 = maybe("99th percentile of it.", ge=0)
    max_ms: pl.Int64 = maybe("The longest time to delivery.", ge=0)
    within_10_s: pl.Int64 = count("Timed messages delivered within 10 seconds.")
    within_60_s: pl.Int64 = count("Timed messages delivered within 60 seconds.")
    within_1_h: pl.Int64 = count("Timed messages delivered within an hour.")


class DeliveryIncidents(MartContract):
    """Days on which a provider failed in a country far more often than in the 28 days before.

    Only days count that ended 72 hours or more before the end of the data. Grain: one row per provider, country and run of days.
    """

    provider: pl.String = always("The provider, in lower case.")
    country: pl.String = maybe(_COUNTRY)
    first_day: pl.Date = always("The first day, in UTC.")
    last_day: pl.Date = always("The last day.")
    days: pl.Int64 = always("Days.", ge=1)
    messages: pl.Int64 = always("Messages sent on these days.", ge=100)
    failed: pl.Int64 = always("Those with status soft_bounce, hard_bounce or deleted.", ge=1)
    expected_failed: pl.Float64 = always(
        "Those that would have failed at the rate of the 28 days before each day.", ge=0
    )
    excess_failed: pl.Float64 = always("failed - expected_failed.")
    failure_rate: pl.Float64 = always("failed / messages.", ge=0, le=1)
    baseline_rate: pl.Float64 = always("Share of failed messages in the 28 days before the first day.", ge=0, le=1)
    peak_score: pl.Float64 = always("The greatest score of a day: the difference of rates in standard errors.", ge=0)
    top_reason: pl.String = always("The reason of most of the failures (delivery_failures).", isin=list(FailureReason))
    campaigns: pl.Int64 = always("Campaigns with a message on these days.", ge=1)
    is_open: pl.Boolean = always("last_day is the last day that can be judged: the incident may go on.")


class ClickQuality(MartContract):
    """Clicks, and whether a bot made them. Grain: one row per click."""

    click_id: pl.String = always("The click.")
    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    contact_id: pl.String = always("The contact who clicked.")
    clicked_at: Timestamp = always("When.")
    message_id: pl.String = maybe(
        "Its message: the one that the log names, else the campaign's last to the contact before the click; null with none."
    )
    after_ms: pl.Int64 = maybe(
        "Milliseconds from the message to the click; negative if it came before; null with no message."
    )
    is_bot: pl.Boolean = always("A rule applies to the click.")
    rule: pl.String = maybe(
        "The first that applies. user_agent: the agent is in the seed bot_user_agents; too_fast: sooner after the message than"
        " SENDMART_BOT_CLICK_SECONDS; sweep: another link of the campaign was clicked within a second. Null if none does.",
        isin=list(BotRule),
    )
    is_before_delivery: pl.Boolean = always(
        "The message was delivered later, by its receipt. No rule: receipts come late."
    )


class CampaignClickQuality(MartContract):
    """Clicks of bots and humans by campaign. Grain: one row per campaign with a click."""

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    clicks: pl.Int64 = always("All clicks, also with SENDMART_BOT_CLICKS=exclude.", ge=1)
    bot_clicks: pl.Int64 = count("Clicks to which a rule applies.")
    bot_clicks_user_agent: pl.Int64 = count("Clicks with the rule user_agent.")
    bot_clicks_too_fast: pl.Int64 = count("Clicks with the rule too_fast.")
    bot_clicks_sweep: pl.Int64 = count("Clicks with the rule sweep.")
    human_clicks: pl.Int64 = count("The other clicks.")
    unique_clickers: pl.Int64 = always("Contacts who clicked.", ge=1)
    human_unique_clickers: pl.Int64 = count("Contacts with a click that is not a bot's.")
    human_click_to_delivered_rate: pl.Float64 = maybe("human_unique_clickers / total_delivered of the campaign.", ge=0)
    direct_orders_from_bots: pl.Int64 = count(
        "Orders whose last click in the conversion window is a bot's, on this campaign. Bot clicks are taken into account here"
        " also with SENDMART_BOT_CLICKS=exclude."
    )


class CampaignLinks(MartContract):
    """Which links were clicked. Grain: one row per campaign and link."""

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    link: pl.String = maybe(
        "The URL without query and fragment, scheme and host in lower case; null for clicks without URL."
    )
    clicks: pl.Int64 = always("Clicks on it.", ge=1)
    human_clicks: pl.Int64 = count("Those that are not a bot's.")
    unique_clickers: pl.Int64 = always("Contacts who clicked it.", ge=1)
    share_of_clicks: pl.Float64 = always("clicks / all clicks on the campaign.", ge=0, le=1)
    first_clicked_at: Timestamp = always("The first click.")
    last_clicked_at: Timestamp = always("The last click.")
    direct_orders: pl.Int64 = count("Direct orders of the campaign whose last click was on it.")
    revenue: Money = always(_REVENUE, ge=0)


class CampaignResponse(MartContract):
    """How soon after the message contacts respond.

    Grain: one row per bucket of elapsed time, with zeros, of each campaign with a click, unsubscribe or direct order.
    """

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    from_minutes: pl.Int64 = maybe(
        "Start of the bucket, in minutes since the message: 0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200 or"
        " 10080; null: no message, or before it.",
        ge=0,
        le=10_080,
    )
    clicks: pl.Int64 = count("Clicks, by the time since their message.")
    human_clicks: pl.Int64 = count("Those that are not a bot's.")
    first_clicks: pl.Int64 = count("Those that are their contact's first on the campaign.")
    unsubscribes: pl.Int64 = count("Unsubscribes attributed to the campaign, by the time since the message.")
    direct_orders: pl.Int64 = count("Direct orders, by the time since the message of their last click.")
    revenue: Money = always(_REVENUE, ge=0)
    cumulative_click_share: pl.Float64 = maybe(
        "Clicks up to the end of this bucket / all clicks on the campaign; the bucket null comes last; null with no click.",
        ge=0,
        le=1,
    )


class AttributionModels(MartContract):
    """The revenue of each order, divided among campaigns by five models. Grain: one row per order, campaign and model.

    All clicks of the contact within the conversion window before the order are its touches.
    """

    order_id: pl.String = always("The order.")
    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    model: pl.String = always(
        "first, last: all to the first or last touch; linear: equal shares; position: 40 % each to the first and the last, the"
        " rest to those between; time_decay: halved with every SENDMART_ATTRIBUTION_HALF_LIFE_HOURS before the last touch.",
        isin=list(AttributionModel),
    )
    touches: pl.Int64 = always("The order's touches on the campaign; for first and last, too.", ge=1)
    weight: pl.Float64 = always(
        "The campaign's share of the order. The shares of an order and model add up to 1.", ge=0
    )
    revenue: Money = maybe(
        "Its share of the revenue, to the cent: an order's shares add up to its revenue; null if it could not be converted.",
        ge=0,
    )


class CampaignAttribution(MartContract):
    """What each attribution model credits to a campaign. Grain: one row per campaign and model."""

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    model: pl.String = always("The model (attribution_models).", isin=list(AttributionModel))
    orders: pl.Int64 = always("Orders that credit the campaign with a share.", ge=1)
    credited_orders: pl.Float64 = always("The sum of these shares.", ge=0)
    revenue: Money = always("Its shares of their revenue; orders that could not be converted add 0.00.", ge=0)
    revenue_over_last: Money = always("revenue - what model last gives the campaign.")


class ContactPressure(MartContract):
    """Clicks, unsubscribes and orders by the number of messages that the contact got in the seven days before.

    Only messages that were sent more than 72 hours before the end of the last log day (UTC). Grain: one row per campaign type
    and number of messages before.
    """

    campaign_type: pl.String = maybe(
        "SMS or MMS; null for campaigns that the log does not know.", isin=list(CampaignType)
    )
    messages_before: pl.Int64 = always(
        "Other messages to the contact in the 168 hours before the message; 7 stands for 7 or more.", ge=0, le=7
    )
    messages: pl.Int64 = count("Sent messages.")
    delivered: pl.Int64 = count("Those delivered.")
    clicking: pl.Int64 = count("Messages with a click within 72 hours that is not a bot's.")
    unsubscribes: pl.Int64 = count("Messages with an unsubscribe attributed to them.")
    direct_orders: pl.Int64 = count("Direct orders whose message it is.")
    revenue: Money = always(_REVENUE, ge=0)
    cost: Cost = maybe(_CONVERTED, ge=0)
    click_rate: pl.Float64 = maybe("clicking / delivered.", ge=0)
    unsubscribe_rate: pl.Float64 = maybe("unsubscribes / delivered.", ge=0)
    revenue_per_delivered: pl.Float64 = maybe("revenue / delivered.", ge=0)
    unsubscribe_low: pl.Float64 = maybe("Lower bound of the 95 % Wilson interval of unsubscribe_rate.", ge=0, le=1)
    unsubscribe_high: pl.Float64 = maybe("Upper bound of it.", ge=0, le=1)


class DailyTotals(MartContract):
    """Counts by day, which add up to any period. Grain: one row per day, campaign type and clock.

    Only days with anything in them, and campaigns of campaign_metrics.
    """

    day: pl.Date = always("The day, in SENDMART_REPORT_TIMEZONE.")
    campaign_type: pl.String = maybe(
        "SMS or MMS; null for campaigns that the log does not know.", isin=list(CampaignType)
    )
    clock: pl.String = always(
        "sent: all counts on the day when the message was sent; event: each on its own day, also those without a message.",
        isin=list(Clock),
    )
    messages: pl.Int64 = count("Sent messages.")
    delivered: pl.Int64 = count("Messages with status delivered.")
    failed: pl.Int64 = count("Messages with status soft_bounce, hard_bounce or deleted.")
    segments: pl.Int64 = count("Segments of the messages.")
    cost: Cost = always(
        "Cost of the messages in the reporting currency, of those that could be converted; 0 with none.", ge=0
    )
    clicks: pl.Int64 = count("Clicks.")
    unsubscribes: pl.Int64 = count("Unsubscribes (rows of attributed_unsubscribes; a contact may have several).")
    direct_orders: pl.Int64 = count("Direct orders.")
    revenue: Money = always(_REVENUE, ge=0)


class CampaignMetricsByWindow(MartContract):
    """What campaign_metrics would say with other conversion windows. Grain: one row per campaign and window.

    The windows are those of SENDMART_WHAT_IF_WINDOWS and the one in force.
    """

    campaign_id: pl.String = always("The campaign.")
    window_hours: pl.Int64 = always("The conversion window, in hours.", ge=1)
    direct_orders: pl.Int64 = count("As in campaign_metrics with this window.")
    assisted_orders: pl.Int64 = count("As in campaign_metrics with this window.")
    revenue: Money = always("As in campaign_metrics with this window.", ge=0)
    assisted_revenue: Money = always("As in campaign_metrics with this window.", ge=0)
    conversion_rate_by_clickers: pl.Float64 = maybe("direct_orders / unique_clickers.", ge=0)
    conversion_rate_by_delivered: pl.Float64 = maybe("direct_orders / total_delivered.", ge=0)
    conversion_rate_by_sent: pl.Float64 = maybe("direct_orders / total_sent.", ge=0)
    is_in_force: pl.Boolean = always("This is SENDMART_CONVERSION_WINDOW_HOURS.")


class SuppressionWhatIf(MartContract):
    """What would not have been sent under other thresholds of suppression. Grain: one row per number of hard bounces."""

    hard_bounces: pl.Int64 = always(
        "Consecutive hard bounces that would suppress a number: 1 to 10, and the setting. Do not add rows up: they overlap.",
        ge=1,
    )
    numbers: pl.Int64 = count("Numbers that would be suppressed.")
    messages_after: pl.Int64 = count("Messages sent to such a number after it would have been suppressed.")
    delivered_after: pl.Int64 = count("Those delivered.")
    segments_after: pl.Int64 = count("Their segments.")
    cost_after: Cost = always(
        "Their cost in the reporting currency, of those that could be converted; 0 with none.", ge=0
    )
    direct_orders_after: pl.Int64 = count("Direct orders whose message is one of them.")
    revenue_after: Money = always(_REVENUE, ge=0)
    is_in_force: pl.Boolean = always("This is SENDMART_HARD_BOUNCES_TO_SUPPRESS, and numbers are suppressed.")


class FigureMaturity(MartContract):
    """How much of a figure is known some days after sending. Grain: one row per figure and age.

    The messages are those of 90 days (UTC). The last of these days is 14 days before the latest log date.
    """

    figure: pl.String = always("The figure. failed: those with a final failure today.", isin=list(Figure))
    age_days: pl.Int64 = always("Days after the day of sending.", ge=0, le=14)
    known: pl.Int64 = count("Those that were in logs of the day of sending or this many days later.")
    final: pl.Int64 = count("All of them, whenever they came.")
    share: pl.Float64 = maybe("known / final.", ge=0, le=1)


class SentAfterOptOut(MartContract):
    """Messages sent after their contact had opted out. Grain: one row per message."""

    message_id: pl.String = always("The message.")
    campaign_id: pl.String = always("Its campaign.")
    contact_id: pl.String = always("The contact.")
    unsubscribed_at: Timestamp = always("The contact's latest unsubscribe before the message.")
    sent_at: Timestamp = always("When the message was sent.")
    after_ms: pl.Int64 = always("Milliseconds between the two.", ge=0)
    delivery_status: pl.String = always("The message's status.", isin=list(DeliveryStatus))


SCHEMA = "insights"

INSIGHTS: dict[str, Mart] = {
    name: Mart(contract, key, SCHEMA)
    for name, contract, key in (
        ("campaign_economics", CampaignEconomics, ("campaign_id",)),
        (
            "delivery_failures",
            DeliveryFailures,
            ("campaign_id", "delivery_status", "provider", "provider_status", "error_code"),
        ),
        ("delivery_routes", DeliveryRoutes, ("campaign_id", "country", "provider")),
        ("delivery_incidents", DeliveryIncidents, ("provider", "country", "first_day")),
        ("click_quality", ClickQuality, ("click_id",)),
        ("campaign_click_quality", CampaignClickQuality, ("campaign_id",)),
        ("campaign_links", CampaignLinks, ("campaign_id", "link")),
        ("campaign_response", CampaignResponse, ("campaign_id", "from_minutes")),
        ("attribution_models", AttributionModels, ("order_id", "campaign_id", "model")),
        ("campaign_attribution", CampaignAttribution, ("campaign_id", "model")),
        ("contact_pressure", ContactPressure, ("campaign_type", "messages_before")),
        ("daily_totals", DailyTotals, ("day", "campaign_type", "clock")),
        ("campaign_metrics_by_window", CampaignMetricsByWindow, ("campaign_id", "window_hours")),
        ("suppression_what_if", SuppressionWhatIf, ("hard_bounces",)),
        ("figure_maturity", FigureMaturity, ("figure", "age_days")),
        ("sent_after_opt_out", SentAfterOptOut, ("message_id",)),
    )
}
"""The insights, by table name. They are published unless SENDMART_INSIGHTS is false."""
