"""Turns the sample's events into rows of the logs: typed columns of the contract, with ids and words instead of numbers.

Not here: which events there are (`traffic`), how rows are written (`files`).
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from sample_data.agents import AGENTS
from sample_data.campaigns import Calendar, campaign_ids
from sample_data.contacts import Contacts
from sample_data.gateways import PROVIDERS, RECEIPTS, STATES_COST, gateway_of
from sample_data.ids import ids
from sample_data.traffic import CURRENCIES, FOREIGN, NOT_SKIPPED, ROUTE

_MOMENT = pl.Datetime("us", "UTC")

# In the order of their numbers in `traffic`.
_SKIP_REASONS = pl.Series(["SkippedNoContent", "SkippedHypersonalization", "FailedHypersonalization", "ContentTooLong"])
_UNSUBSCRIBE_SOURCES = pl.Series(["reply", "link", "manual"])
_CURRENCY_NAMES = pl.Series(CURRENCIES)

# The cost of a segment and of an MMS, and its currency, by country: North America, Britain, France, Ireland, Germany, Sweden,
# Australia, North America again.
_SEGMENT_COST = np.array([0.0079, 0.0330, 0.0684, 0.0721, 0.0890, 0.4500, 0.0515, 0.0079])
_MMS_COST = np.array([0.0220, 0.1200, 0.1800, 0.1900, 0.2100, 1.9000, 0.3000, 0.0220])
_COST_CURRENCY = pl.Series(["USD", "GBP", "EUR", "EUR", "EUR", "SEK", "USD", "USD"])

_PAGES = pl.Series(["sale", "new", "bestsellers", "account/points", "gifts", "cart"])


def row_maker(log: str, calendar: Calendar, contacts: Contacts) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A function that turns N events of a log, as `Outbox.take` returns them, into its N rows."""
    key = contacts.key

    def contact_ids(numbers: np.ndarray) -> pl.Series:
        return ids("ct_", numbers, 10, key)

    def message_ids(numbers: np.ndarray) -> pl.Series:
        return ids("msg_", numbers, 12, key)

    def sends(events: pl.DataFrame) -> pl.DataFrame:
        contact, campaign = events["contact"].to_numpy(), events["campaign"].to_numpy()
        is_sent = events["skip"] == NOT_SKIPPED
        country = contacts.countries(contact)
        segments = events["segments"].to_numpy()
        cost = np.where(calendar.is_mms[campaign], _MMS_COST[country], _SEGMENT_COST[country] * segments)
        gateway = gateway_of(contacts.trait(contact, ROUTE))
        has_cost = pl.Series(STATES_COST[gateway])
        return pl.DataFrame(
            {
                "message_id": message_ids(events["message"].to_numpy()),
                "campaign_id": campaign_ids(campaign, key),
                "contact_id": contact_ids(contact),
                "mobile_number": contacts.mobile_numbers(contact),
                "sent_at": events["at"].cast(_MOMENT),
                "segments": events["segments"].cast(pl.Int32),
                "skip_reason": _SKIP_REASONS.gather(events["skip"].replace(NOT_SKIPPED, None)),
                "provider": PROVIDERS.gather(gateway),
                "cost": np.round(cost, 6),
                "cost_currency": _COST_CURRENCY.gather(country),
            }
        ).with_columns(
            *(pl.when(is_sent).then(column).alias(column) for column in ("segments", "provider")),
            *(pl.when(is_sent & has_cost).then(column).alias(column) for column in ("cost", "cost_currency")),
        )

    def receipts(events: pl.DataFrame) -> pl.DataFrame:
        reports = RECEIPTS[events["code"].cast(pl.UInt32)]
        return pl.DataFrame(
            {
                "message_id": message_ids(events["message"].to_numpy()),
                "provider": reports["provider"],
                "provider_status": reports["provider_status"],
                "error_code": reports["error_code"],
                "occurred_at": events["occurred"].cast(_MOMENT),
                "received_at": events["received"].cast(_MOMENT),
            }
        ).with_columns(pl.when(pl.col("provider").is_not_null()).then("received_at").alias("received_at"))

    def clicks(events: pl.DataFrame) -> pl.DataFrame:
        message = events["message"].to_numpy()
        campaign = events["campaign"].to_numpy()
        page = (campaign + events["page"].to_numpy()) % len(_PAGES)
        link = ids("", np.where(campaign >= FOREIGN, 0, campaign), 5, key)
        return pl.DataFrame(
            {
                "click_id": ids("clk_", events["click"].to_numpy(), 12, key),
                "campaign_id": campaign_ids(campaign, key),
                "contact_id": contact_ids(events["contact"].to_numpy()),
                "message_id": message_ids(np.maximum(message, 0)),
                "url": "https://shop.example/" + _PAGES.gather(page) + "?utm_source=sms&c=" + link,
                "clicked_at": events["at"].cast(_MOMENT),
                "user_agent": AGENTS.gather(events["agent"]),
            }
        ).with_columns(pl.when(pl.Series(message >= 0)).then("message_id").alias("message_id"))

    def orders(events: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "order_id": ids("ord_", events["order"].to_numpy(), 8, key),
                "contact_id": contact_ids(events["contact"].to_numpy()),
                "ordered_at": events["ordered"].cast(_MOMENT),
                # numpy divides; polars would multiply by 0.01, which gives 31.990000000000002.
                "total": events["cents"].to_numpy() / 100,
                "refunded_amount": events["refunded"].to_numpy() / 100,
                "currency": _CURRENCY_NAMES.gather(events["currency"]),
                "status": pl.Series(["placed", "cancelled"]).gather(events["cancelled"].cast(pl.UInt32)),
                "updated_at": events["updated"].cast(_MOMENT),
            }
        ).with_columns(pl.when(pl.col("refunded_amount") > 0).then("refunded_amount").alias("refunded_amount"))

    def unsubscribes(events: pl.DataFrame) -> pl.DataFrame:
        contact = events["contact"].to_numpy()
        known = pl.Series(contact < FOREIGN)
        return pl.DataFrame(
            {
                "contact_id": contact_ids(contact),
                "unsubscribed_at": events["at"].cast(_MOMENT),
                "mobile_number": contacts.mobile_numbers(np.minimum(contact, contacts.count)),
                "source": _UNSUBSCRIBE_SOURCES.gather(events["source"]),
            }
        ).with_columns(pl.when(known & (pl.col("source") == "reply")).then("mobile_number").alias("mobile_number"))

    def unchanged(events: pl.DataFrame) -> pl.DataFrame:
        return events.drop("logged")

    makers = {
        "sends": sends,
        "receipts": receipts,
        "clicks": clicks,
        "orders": orders,
        "unsubscribes": unsubscribes,
    }
    return makers.get(log, unchanged)
