"""What is expected of every mart: Great Expectations suites over its frame, its figures, and these beside their history.

Severity is used as Great Expectations means it. Critical: an invariant, which no landing zone, however odd, makes
fail, and whose failure is a fault of the build. Warning: a volume or a share that is out of the ordinary and may yet be
right; campaigns come in bursts, and a first night has little of anything.

Importing this module imports Great Expectations, which takes seconds: only `quality.audit.expectations` does, and late.

Not here: the frames (`quality.audit.invariant_frames`, `quality.audit.metrics`), running the suites.
"""

from collections.abc import Sequence

from great_expectations import expectations as gxe
from great_expectations.core import ExpectationSuite
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from models.enums import Attribution, CampaignType, DeliveryStatus, Log, SkipReason
from quality.audit.anomalies import Compared


def _same(one: str, other: str, says: str) -> Expectation:
    return gxe.ExpectColumnPairValuesToBeEqual(
        column_A=one, column_B=other, description=says, severity=FailureSeverity.CRITICAL
    )


def _at_least(greater: str, less: str, says: str) -> Expectation:
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=greater, column_B=less, or_equal=True, description=says, severity=FailureSeverity.CRITICAL
    )


def _one_of(column: str, values: list, says: str) -> Expectation:
    return gxe.ExpectColumnValuesToBeInSet(
        column=column, value_set=values, description=says, severity=FailureSeverity.CRITICAL
    )


def _holds(column: str, says: str) -> Expectation:
    return _one_of(column, [True], says)


def _none(column: str, says: str) -> Expectation:
    return _between(column, 0, 0, says)


def _between(column: str, least: float | None, most: float | None, says: str) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=least, max_value=most, description=says, severity=FailureSeverity.CRITICAL
    )


def _ordinarily(column: str, says: str, *, least: float | None = None, most: float | None = None) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=least, max_value=most, description=says, severity=FailureSeverity.WARNING
    )


_OF_FRAMES = {
    "campaign_metrics": [
        _holds("is_in_campaign_metrics", "every campaign with messages sent or skipped is listed"),
        _between("messages_sent_or_skipped", 1, None, "every campaign listed has messages sent or skipped"),
        _same("total_sent", "messages_in_delivery_status", "total_sent is the messages of delivery_status"),
        _holds("is_last_sent_at_of_delivery_status", "last_sent_at is the latest of delivery_status"),
        _at_least("total_delivered", "contacts_delivered", "a contact delivered to has a message delivered"),
        _at_least(
            "messages_of_contacts_delivered", "total_delivered", "only contacts delivered to have messages delivered"
        ),
        _same("direct_orders", "orders_attributed_direct", "direct_orders are those of attributed_orders"),
        _same("assisted_orders", "orders_attributed_assisted", "assisted_orders are those of attributed_orders"),
        _none("revenue_beyond_direct_orders", "revenue is that of the direct rows of attributed_orders"),
        _none("revenue_beyond_assisted_orders", "assisted_revenue is that of the assisted rows of attributed_orders"),
        _same("unsubscribes", "contacts_unsubscribed", "unsubscribes are the contacts of attributed_unsubscribes"),
        _at_least("total_segments", "total_sent", "every message sent has a segment"),
        _holds("has_clickers_if_clicks", "there are clickers where there are clicks, and only there"),
        _holds("is_click_to_delivered_rate_as_defined", "click_to_delivered_rate is unique_clickers / total_delivered"),
        _holds("is_conversion_rate_as_defined", "conversion_rate is direct_orders over the same count everywhere"),
    ],
    "campaign_overview": [
        _holds("is_in_campaign_metrics", "every campaign is one of campaign_metrics"),
        _holds("is_in_campaign_overview", "every campaign of campaign_metrics has its tiles"),
        _same("unique_sends", "contacts_in_delivery_status", "unique_sends is the contacts of delivery_status"),
        _same("unique_sends", "contacts_in_all_tiles", "the five statuses add up to unique_sends"),
        _at_least("total_sent", "unique_sends", "a contact sent to has a message sent"),
        _at_least("total_delivered", "unique_deliveries", "a contact delivered to has a message delivered"),
        _none("revenue_beyond_campaign_metrics", "revenue is that of campaign_metrics"),
        _same("unsubscribes", "unsubscribes_in_campaign_metrics", "unsubscribes are those of campaign_metrics"),
        _holds("is_named_as_in_campaign_metrics", "campaign_name is that of campaign_metrics"),
    ],
    "delivery_status": [
        _one_of("delivery_status", [*DeliveryStatus], "there are five statuses"),
        _same("contacts", "contacts_in_campaign_overview", "contacts by status are the tiles of campaign_overview"),
        _at_least("messages", "contacts", "every contact was sent a message"),
        _none("final_without_receipt", "no status but pending comes without a receipt"),
        _none("with_half_a_receipt", "provider and provider_status come together, an error code with them"),
        _none("changed_without_receipt", "without a receipt, status_at is when a message was sent"),
    ],
    "skip_reasons": [
        _one_of("skip_reason", [*SkipReason], "there are four reasons"),
        _holds("is_in_campaign_metrics", "every campaign is one of campaign_metrics"),
        _none("named_unlike_campaign_metrics", "campaign_name is that of campaign_metrics"),
        _none("without_details", "every reason is told in a sentence"),
        _none("sent_as_well", "no message was both skipped and sent"),
    ],
    "attributed_unsubscribes": [
        _none("attributed_by_half", "campaign, message and sent_at come together"),
        _none("sent_only_afterwards", "the message was sent before the contact unsubscribed"),
        _none("never_sent_the_campaign", "the contact was sent the campaign"),
        _none("named_unlike_campaign_metrics", "campaign_name is that of campaign_metrics"),
    ],
    "attributed_orders": [
        _one_of("attribution", [*Attribution], "an order is credited in one of two ways"),
        _none("without_one_direct", "every order has exactly one direct campaign"),
        _none("clicked_later_than_direct", "the direct campaign was clicked last"),
        _none("told_in_two_ways", "an order is the same in all of its rows"),
        _none("clicked_only_afterwards", "the click came before the order"),
        _none("refunded_beyond_total", "no more is refunded than was ordered"),
        _none("earning_after_full_refund", "what was refunded in full earns nothing"),
        _none("without_revenue_and_not_unconverted", "an order without revenue is one of unconverted_orders"),
    ],
    "suppressed_numbers": [
        _none("never_sent_the_campaign", "the contact was sent the campaign"),
        _none("without_that_hard_bounce", "the message bounced hard, to that number, at that time"),
    ],
    "campaigns": [
        _one_of("campaign_type", [*CampaignType], "there are two types"),
        _between("max_segments", 1, None, "a message may have at least one segment"),
        _holds("is_named_alike_in_campaign_metrics", "campaign_metrics has the same campaign_name"),
        _holds("is_of_that_type_in_campaign_metrics", "campaign_metrics has the same campaign_type"),
        _holds("is_of_that_editor_in_campaign_metrics", "campaign_metrics has the same last_modified_by"),
    ],
    "unconverted_orders": [
        _none("with_revenue_all_the_same", "no unconverted order has revenue in attributed_orders"),
        _none("later_than_a_converted_one", "no order in that currency was converted on the same day or earlier"),
        _none("refunded_beyond_total", "no more is refunded than was ordered"),
    ],
    "unmapped_receipts": [
        _at_least("receipts", "messages", "every message has a receipt"),
        _at_least("last_occurred_at", "first_occurred_at", "the last comes after the first"),
        _none("contacts_decided_by_them", "no status is decided by such a receipt"),
    ],
    "unmatched_events": [
        _one_of(
            "log_and_kind",
            [
                f"{Log.RECEIPTS} message_not_sent",
                f"{Log.CLICKS} campaign_never_sent",
                f"{Log.UNSUBSCRIBES} nothing_sent_before",
            ],
            "there are three kinds, one of each log",
        ),
        _at_least("events", "events_at_least", "events that other marts show as unmatched are counted"),
        _at_least("events_at_most", "events", "no more unsubscribes are counted than have no campaign"),
        _holds("is_dated_if_any", "there are moments where there are events, and only there"),
        _holds("is_first_before_last", "the last comes after the first"),
    ],
    "campaign_clicks_hourly": [
        _same("total_clicks", "clicks_of_all_hours", "the clicks add up to total_clicks of campaign_metrics"),
        _at_least("unique_clickers", "clickers_of_one_hour", "no hour has more clickers than the campaign"),
        _at_least("clickers_of_all_hours", "unique_clickers", "every clicker of the campaign is counted in an hour"),
        _none("not_on_the_hour", "every hour begins on the hour"),
    ],
}

_OF_FIGURES = {
    "campaign_metrics": [
        _ordinarily("campaigns", "there are campaigns", least=1),
        _ordinarily("messages_sent", "there are messages sent", least=1),
        _ordinarily("unnamed_campaigns_share", "few campaigns are unknown to the campaigns log", most=0.05),
        _ordinarily("campaigns_clicked_beyond_delivered_share", "few campaigns have rates above 1", most=0.05),
        _ordinarily("campaigns_converting_beyond_1_share", "few campaigns have rates above 1", most=0.05),
        _ordinarily("delivered_share", "most messages are delivered", least=0.5),
        _ordinarily("segments_per_message", "messages are short", most=5),
        _ordinarily("clickers_per_delivered", "some click, and not most", least=0.0005, most=0.5),
        _ordinarily("direct_orders_per_clicker", "not every clicker orders", most=0.5),
    ],
    "campaign_overview": [
        _ordinarily("contacts", "there are contacts sent to", least=1),
        _ordinarily("soft_bounce_share", "few messages expire", most=0.15),
        _ordinarily("hard_bounce_share", "few messages fail", most=0.1),
        _ordinarily("deleted_share", "few messages are deleted by a network", most=0.05),
        _ordinarily("unsubscribe_share", "few contacts opt out", most=0.05),
    ],
    "delivery_status": [
        _ordinarily("contacts", "there are contacts sent to", least=1),
        _ordinarily("messages_per_contact", "a campaign sends a contact few messages", most=5),
        _ordinarily("pending_after_three_days_share", "after three days, few messages are pending", most=0.1),
        _ordinarily("without_receipt_after_three_days_share", "after three days, receipts are in", most=0.1),
    ],
    "skip_reasons": [
        _ordinarily("skipped_share", "few messages are skipped", most=0.2),
        _ordinarily("failed_hypersonalization_share", "Liquid markup seldom takes too long", most=0.02),
        _ordinarily("campaigns_wholly_skipped_share", "few campaigns are sent to nobody", most=0.1),
    ],
    "attributed_unsubscribes": [
        _ordinarily("unattributed_share", "who opts out was mostly sent something before", most=0.2),
        _ordinarily("without_source_share", "the log mostly says how they opted out", most=0.5),
    ],
    "attributed_orders": [
        _ordinarily("assists_per_order", "few campaigns assist an order", most=3),
        _ordinarily("refunded_in_full_share", "few orders are refunded in full", most=0.2),
        _ordinarily("campaign_never_sent_share", "campaigns with orders are in the sends log", most=0.05),
        _ordinarily("widest_spread_of_a_currency", "exchange rates of a currency are alike", most=2),
    ],
    "suppressed_numbers": [
        _ordinarily("suppressed_per_contact", "few numbers are suppressed", most=0.02),
        _ordinarily("suppressed_per_hard_bounce", "few hard bounces are consecutive", most=0.33),
    ],
    "campaigns": [
        _ordinarily("campaigns", "there are campaigns", least=1),
        _ordinarily("without_content_share", "few campaigns have neither text nor picture", most=0.1),
        _ordinarily("mms_without_picture_share", "an MMS has a picture", most=0.1),
        _ordinarily("names_per_campaign", "campaigns have names of their own", least=0.2),
    ],
    "unconverted_orders": [
        _ordinarily("of_attributed_orders_share", "few orders lack an exchange rate", most=0.1),
        _ordinarily("currencies", "few currencies lack exchange rates", most=5),
    ],
    "unmapped_receipts": [
        _ordinarily("messages_share", "the vocabularies know what networks say", most=0.02),
        _ordinarily("kinds", "unknown words are few, not free text", most=200),
    ],
    "unmatched_events": [
        _ordinarily("kinds", "each of the three kinds is told", least=3, most=3),
        _ordinarily("receipts_per_message", "receipts have their messages", most=0.05),
        _ordinarily("clicks_share", "campaigns clicked were sent", most=0.05),
        _ordinarily("unsubscribes_share", "who opts out was mostly sent something before", most=0.2),
    ],
    "campaign_clicks_hourly": [
        _ordinarily("busiest_hour_share", "clicks are spread over many hours", most=0.5),
    ],
}


def suites() -> dict[str, tuple[ExpectationSuite, ExpectationSuite]]:
    """By mart: what is expected of its frame, and of its figures."""
    return {
        mart: (
            ExpectationSuite(name=mart, expectations=_OF_FRAMES[mart]),
            ExpectationSuite(name=f"{mart} figures", expectations=_OF_FIGURES[mart]),
        )
        for mart in _OF_FRAMES
    }


def of_history(mart: str, figures: Sequence[Compared]) -> ExpectationSuite:
    """What is expected of those figures of a mart that have a history to go by."""
    return ExpectationSuite(
        name=f"{mart} history",
        expectations=[
            _ordinarily(figure.name, figure.says, least=figure.least, most=figure.most)
            for figure in figures
            if figure.has_norm
        ],
    )
