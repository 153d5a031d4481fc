"""The contracts of the published marts: type, meaning and allowed values of every column, once. `_at` is a UTC timestamp,
`_rate` a fraction (null where its denominator is 0), money is DECIMAL(18,2), amounts in an order's own currency are
DECIMAL(18,4), counts are BIGINT, ids are case-sensitive strings.

Not here: how the figures are computed, and rules between columns and marts (`dbt_project/`); expectations (`quality/`).
"""

from dataclasses import dataclass, replace

import polars as pl

from models.contracts import Amount, Mart, MartContract, Money, Timestamp, always, count, maybe
from models.enums import Attribution, CampaignType, DeliveryStatus, Log, SkipReason, UnconvertedReason
from models.insights import INSIGHTS as INSIGHTS
from models.labels import label

SCHEMA = "marts"


class CampaignMetrics(MartContract):
    """The campaign table of the report. Grain: one row per campaign that occurs in the sends log."""

    campaign_id: pl.String = always("The campaign.")
    last_sent_at: Timestamp = maybe("When the latest of its messages was sent; null if all were skipped.")
    campaign_name: pl.String = maybe("Its name; null where the campaigns log does not know it.")
    click_to_delivered_rate: pl.Float64 = maybe(
        "unique_clickers / total_delivered; receipts get lost, so it may exceed 1.", ge=0
    )
    conversion_rate: pl.Float64 = maybe(
        "direct_orders per unique clicker, or per SENDMART_CONVERSION_RATE_DENOMINATOR.", ge=0
    )
    direct_orders: pl.Int64 = count(
        "Placed orders whose contact's last click within the conversion window was on this campaign."
    )
    assisted_orders: pl.Int64 = count(
        "Placed orders whose contact clicked this campaign within the conversion window, but another one last.",
    )
    last_modified_by: pl.String = maybe("Who last edited it; null where campaign_name is.")
    revenue: Money = always("Revenue of direct orders in the reporting currency, less refunds.", ge=0)
    assisted_revenue: Money = always(
        "Revenue of its assisted orders, each in full: it does not add up across campaigns.", ge=0
    )
    total_segments: pl.Int64 = count("Segments of its sent messages.")
    total_clicks: pl.Int64 = count("Clicks on it.")
    total_delivered: pl.Int64 = count("Its messages with status delivered.")
    total_sent: pl.Int64 = count("Its messages that were sent, not skipped.")
    campaign_type: pl.String = maybe("SMS or MMS; null where campaign_name is.", isin=list(CampaignType))
    unique_clickers: pl.Int64 = count("Contacts who clicked it.")
    unsubscribes: pl.Int64 = count("Contacts with an unsubscribe attributed to it.")


class CampaignOverview(MartContract):
    """The tiles of a campaign's page. Grain: one row per campaign of campaign_metrics."""

    campaign_id: pl.String = always("The campaign.")
    campaign_name: pl.String = maybe("Its name; null where the campaigns log does not know it.")
    revenue: Money = always("Revenue of its direct orders, in the reporting currency.", ge=0)
    unique_sends: pl.Int64 = count("Contacts it was sent to.")
    unique_deliveries: pl.Int64 = count("Contacts it was delivered to.")
    pending: pl.Int64 = count("Contacts whose message is with the network, not yet delivered.")
    soft_bounces: pl.Int64 = count("Contacts for whom the time allowed for delivery expired.")
    hard_bounces: pl.Int64 = count("Contacts for whom delivery failed for any other reason.")
    deleted: pl.Int64 = count("Contacts whose number a network has deleted.")
    unsubscribes: pl.Int64 = count("Contacts with an unsubscribe attributed to it.")


class DeliveryStatuses(MartContract):
    """The delivery status of each contact of a campaign. Grain: one row per campaign and contact sent to."""

    campaign_id: pl.String = always("The campaign.")
    contact_id: pl.String = always("The contact.")
    mobile_number: pl.String = always("The number of the deciding message.")
    delivery_status: pl.String = always(
        "delivered if any message of the campaign reached the contact, else the status of the last one sent.",
        isin=list(DeliveryStatus),
    )
    messages_sent: pl.Int64 = always("Messages of the campaign sent to the contact.", ge=1)
    message_id: pl.String = always("The deciding message: the one delivered first, else the last one sent.")
    last_sent_at: Timestamp = always("When the last of the contact's messages of the campaign was sent.")
    status_at: Timestamp = always("When the deciding receipt took place; with no receipt, when the message was sent.")
    provider: pl.String = maybe("Vocabulary of the deciding receipt; null without a receipt.")
    provider_status: pl.String = maybe("Status of the deciding receipt, in the provider's word; null without one.")
    error_code: pl.String = maybe("The deciding receipt's error code, if it has one.")


class SkipReasons(MartContract):
    """Contacts that a campaign skipped, and why. Grain: one row per skipped message."""

    campaign_id: pl.String = always("The campaign.")
    campaign_name: pl.String = maybe("Its name; null where the campaigns log does not know it.")
    contact_id: pl.String = always("The contact that was skipped.")
    message_id: pl.String = always("The attempt to message the contact.")
    mobile_number: pl.String = always("The contact's number in E.164.")
    skip_reason: pl.String = always("Why, in the sending platform's word.", isin=list(SkipReason))
    skip_reason_details: pl.String = always("Why, in a sentence.")
    skipped_at: Timestamp = always("When it was skipped.")


class AttributedUnsubscribes(MartContract):
    """Unsubscribes and the campaigns that they are attributed to. Grain: one row per unsubscribe."""

    contact_id: pl.String = always("The contact who opted out.")
    unsubscribed_at: Timestamp = always("When.")
    source: pl.String = maybe("How: reply, link, manual, …; null where the log does not say.")
    campaign_id: pl.String = maybe("The campaign of the last message sent to the contact before; null with none.")
    campaign_name: pl.String = maybe("Its name; null with no campaign, or where the campaigns log does not know it.")
    message_id: pl.String = maybe("That message; null with none.")
    sent_at: Timestamp = maybe("When that message was sent; null with none.")


class AttributedOrders(MartContract):
    """Placed orders and the campaigns credited with them. Grain: one row per order and campaign credited."""

    order_id: pl.String = always("The order.")
    campaign_id: pl.String = always("The campaign credited; it may be one that was never sent.")
    attribution: pl.String = always(
        "direct: the contact's last click before the order was on it; assisted: it was clicked, but another one later.",
        isin=list(Attribution),
    )
    contact_id: pl.String = always("The contact who ordered.")
    ordered_at: Timestamp = always("When the order was placed.")
    clicked_at: Timestamp = always("The contact's last click on the campaign within the conversion window.")
    click_id: pl.String = always("That click.")
    revenue: Money = maybe("The order's revenue in the reporting currency; null where it could not be converted.", ge=0)
    currency: pl.String = always("The order's currency.")
    total: Amount = always("What was ordered, in the order's currency, before refunds.", ge=0)
    refunded_amount: Amount = always("What was paid back, in the order's currency.", ge=0)


class SuppressedNumbers(MartContract):
    """Numbers no longer messaged after consecutive hard bounces. Grain: one row per suppressed mobile number."""

    mobile_number: pl.String = always("The number. Empty mart where SENDMART_HARD_BOUNCE_SUPPRESSION is false.")
    suppressed_at: Timestamp = always("Status time of the message that completed the first run of hard bounces.")
    campaign_id: pl.String = always("Campaign of that message.")
    message_id: pl.String = always("That message.")
    contact_id: pl.String = always("Contact of that message.")


class CampaignDetails(MartContract):
    """The latest version of each campaign, with its message text. Grain: one row per campaign of the campaigns log."""

    campaign_id: pl.String = always("The campaign.")
    campaign_name: pl.String = always("Its name after the last edit.")
    campaign_type: pl.String = always("SMS or MMS.", isin=list(CampaignType))
    body: pl.String = maybe("The message text; may hold Liquid markup.")
    media_url: pl.String = maybe("The picture of an MMS.")
    sender: pl.String = maybe("The originator shown on the phone.")
    max_segments: pl.Int64 = maybe("The most segments a message may have.", ge=1)
    last_modified_by: pl.String = always("Who made the last edit.")
    last_modified_at: Timestamp = always("When the last edit was made.")


class UnconvertedOrders(MartContract):
    """Placed orders that could not be converted: their revenue counts nowhere. Grain: one row per order."""

    order_id: pl.String = always("The order.")
    contact_id: pl.String = always("The contact who ordered.")
    ordered_at: Timestamp = always("When the order was placed.")
    currency: pl.String = always("The order's currency.")
    total: Amount = always("What was ordered, in that currency.", ge=0)
    refunded_amount: Amount = always("What was paid back, in that currency.", ge=0)
    reason: pl.String = always(
        "no_exchange_rate: no rate into the reporting currency on or before the order's day; revenue_too_large: 10^16 or more"
        " in the reporting currency.",
        isin=list(UnconvertedReason),
    )


class UnmappedReceipts(MartContract):
    """Receipts that are not in the provider vocabularies and so change no status.

    Grain: one row per provider, provider status and error code.
    """

    provider: pl.String = always("The provider as the log names it.")
    provider_status: pl.String = always("The status as the provider wrote it.")
    error_code: pl.String = maybe("The error code as the provider wrote it, if any.")
    receipts: pl.Int64 = always("Deduplicated receipts, whether or not their message is known.", ge=1)
    messages: pl.Int64 = always("Messages they are for.", ge=1)
    first_occurred_at: Timestamp = always("The first of them.")
    last_occurred_at: Timestamp = always("The last of them.")


class UnmatchedEvents(MartContract):
    """Events without a message or campaign in the sends log.

    Grain: one row per log and kind, with 0 events where there is none.
    """

    log: pl.String = always("The log.", isin=[Log.RECEIPTS, Log.CLICKS, Log.UNSUBSCRIBES])
    kind: pl.String = always("What it lacks.", isin=["message_not_sent", "campaign_never_sent", "nothing_sent_before"])
    events: pl.Int64 = count("Deduplicated rows.")
    first_at: Timestamp = maybe("The first of them; null with none.")
    last_at: Timestamp = maybe("The last of them; null with none.")


class CampaignClicksHourly(MartContract):
    """Clicks on a campaign by the hour. Grain: one row per campaign and hour in which it was clicked."""

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    hour_at: Timestamp = always("The start of the hour.")
    clicks: pl.Int64 = always("Clicks within the hour.", ge=1)
    unique_clickers: pl.Int64 = always(
        "Contacts who clicked within the hour. A contact who clicks in two hours counts in both.", ge=1
    )


class CampaignClicksByMinute(MartContract):
    """Clicks on a campaign by the minute: clocks change on whole minutes, so minutes add up to the hours of any time zone.

    Grain: one row per campaign and minute in which it was clicked.
    """

    campaign_id: pl.String = always("The campaign; it may be one that was never sent.")
    minute_at: Timestamp = always("The start of the minute.")
    clicks: pl.Int64 = always("Clicks within the minute.", ge=1)


class BuildInfo(MartContract):
    """The published build, its freshness and its settings. Grain: one row."""

    build_id: pl.String = always("The build.")
    published_at: Timestamp = always("When it was published.")
    data_until: pl.Date = maybe("The latest log date in the lake; null with no data.")
    version: pl.String = always("The version of Sendmart.")
    settings: pl.String = always("The settings in force, as JSON.")
    override_reason: pl.String = maybe("The reason for overriding the release gate; null if the gate passed.")
    as_of: pl.Date = maybe("The date of `sendmart replay --as-of`; null in a published build.")


BASE_MARTS: dict[str, Mart] = {
    "campaign_metrics": Mart(CampaignMetrics, key=("campaign_id",)),
    "campaign_overview": Mart(CampaignOverview, key=("campaign_id",)),
    "delivery_status": Mart(DeliveryStatuses, key=("campaign_id", "contact_id")),
    "skip_reasons": Mart(SkipReasons, key=("message_id",)),
    "attributed_unsubscribes": Mart(AttributedUnsubscribes, key=("contact_id", "unsubscribed_at")),
    "attributed_orders": Mart(AttributedOrders, key=("order_id", "campaign_id")),
    "suppressed_numbers": Mart(SuppressedNumbers, key=("mobile_number",)),
    "campaigns": Mart(CampaignDetails, key=("campaign_id",)),
    "unconverted_orders": Mart(UnconvertedOrders, key=("order_id",)),
    "unmapped_receipts": Mart(UnmappedReceipts, key=("provider", "provider_status", "error_code")),
    "unmatched_events": Mart(UnmatchedEvents, key=("log", "kind")),
    "campaign_clicks_hourly": Mart(CampaignClicksHourly, key=("campaign_id", "hour_at")),
    "campaign_clicks_by_minute": Mart(CampaignClicksByMinute, key=("campaign_id", "minute_at")),
}
"""The marts of the campaign reports, by table name: those of dbt in the schema `marts`."""

DBT_MARTS: dict[str, Mart] = {**BASE_MARTS, **INSIGHTS}
"""The marts that dbt computes, by table name."""

MARTS: dict[str, Mart] = {**DBT_MARTS, "build_info": Mart(BuildInfo, key=("build_id",))}
"""All published marts, by table name; `build_info` is written at publication."""


SCHEMAS = tuple(dict.fromkeys(mart.schema for mart in MARTS.values()))
"""The schemas of the published file that hold marts."""


def dbt_marts(*, insights: bool) -> dict[str, Mart]:
    """The marts that dbt computes where `insights`, the setting, has this value."""
    return DBT_MARTS if insights else BASE_MARTS


def qualified(mart: str) -> str:
    """The name of a mart with its schema."""
    return f"{MARTS[mart].schema}.{mart}"


@dataclass(frozen=True)
class MartColumn:
    """A column of a mart, without pandera: for DDL, dbt, the data dictionary, pages and exports."""

    name: str
    sql_type: str
    nullable: bool
    description: str
    label: str


def sql_type(dtype: pl.DataType) -> str:
    """The DuckDB type of a polars type that the contracts use."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    return {
        pl.String: "varchar",
        pl.Boolean: "boolean",
        pl.Int32: "integer",
        pl.Int64: "bigint",
        pl.Float64: "double",
        pl.Date: "date",
        pl.Datetime: "timestamp",
    }[dtype.base_type()]


def columns(mart: str) -> tuple[MartColumn, ...]:
    """The columns of a mart, in order."""
    contract = MARTS[mart].contract
    types = contract.types()
    return tuple(
        MartColumn(name, sql_type(types[name]), rules.nullable, rules.description, label(mart, name))
        for name, rules in contract.rules().items()
    )


NUMBER, NUMBER_HASH = "mobile_number", "mobile_number_hash"
_MASKED = "Masked: its first and last two digits."
_HASH = "The keyed hash of the number, where SENDMART_MASK_PHONE_NUMBERS is true: 64 hexadecimal digits, a key like the number."


def published_columns(mart: str, *, is_masked: bool) -> tuple[MartColumn, ...]:
    """The columns of a mart as it is published: with masked numbers, each has its keyed hash beside it."""
    published = []
    for column in columns(mart):
        if is_masked and column.name == NUMBER:
            published.append(replace(column, description=f"{column.description} {_MASKED}"))
            hash_label = label(mart, NUMBER_HASH)
            published.append(MartColumn(NUMBER_HASH, column.sql_type, column.nullable, _HASH, hash_label))
        else:
            published.append(column)
    return tuple(published)


def published_key(mart: str, *, is_masked: bool) -> tuple[str, ...]:
    """The key of a mart as it is published: masked numbers are no key, their hashes are."""
    return tuple(NUMBER_HASH if is_masked and name == NUMBER else name for name in MARTS[mart].key)


def description(mart: str) -> str:
    """What a mart holds, ending in its grain."""
    return " ".join((MARTS[mart].contract.__doc__ or "").split())


CONTACT_REPORTS = ("delivery_status", "skip_reasons", "attributed_unsubscribes")
"""The scheduled reports whose exports hold changed campaigns only."""
