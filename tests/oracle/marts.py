"""The marts of the oracle, computed from typed rows.

Not here: `build_info`, which describes the build and not the rows; the rules (`rules`), typing of rows (`admission`), the
insights (`insights`).
"""

from collections import Counter
from datetime import datetime

from tests.oracle.clicks import classified
from tests.oracle.logs import LOGS
from tests.oracle.rules import (
    Settings,
    Vocabulary,
    attribute_order,
    attribute_unsubscribe,
    converted,
    deciding_message,
    deduplicated,
    grouped,
    load_vocabulary,
    rate,
    status_of_receipt,
    suppressing_message,
    total_of,
    with_status,
)


def compute(
    rows: dict[str, list[dict]], settings: Settings | None = None, vocabulary: Vocabulary | None = None
) -> dict[str, list[dict]]:
    """All marts except `build_info`, from accepted rows, which may be repeated."""
    settings = settings or Settings()
    vocabulary = load_vocabulary() if vocabulary is None else vocabulary
    facts = Facts(rows, settings, vocabulary)
    return {
        "campaign_metrics": facts.campaign_metrics(),
        "campaign_overview": facts.campaign_overview(),
        "delivery_status": facts.delivery_status(),
        "skip_reasons": facts.skip_reasons(),
        "attributed_unsubscribes": facts.attributed_unsubscribes(),
        "attributed_orders": facts.attributed_orders(),
        "suppressed_numbers": facts.suppressed_numbers(),
        "campaigns": facts.campaigns(),
        "unconverted_orders": facts.unconverted_orders(),
        "unmapped_receipts": facts.unmapped_receipts(),
        "unmatched_events": facts.unmatched_events(),
        "campaign_clicks_hourly": facts.campaign_clicks_hourly(),
        "campaign_clicks_by_minute": facts.campaign_clicks_by_minute(),
    }


class Facts:
    """Deduplicated rows and values derived from them, with a method for each mart."""

    def __init__(self, rows: dict[str, list[dict]], settings: Settings, vocabulary: Vocabulary):
        self.settings = settings
        self.kept = kept = {log: deduplicated(log, rows.get(log, []), settings) for log in LOGS}
        self.known = {row["campaign_id"]: row for row in kept["campaigns"]}
        sent = [row for row in kept["sends"] if row["skip_reason"] is None]
        self.skipped = [row for row in kept["sends"] if row["skip_reason"] is not None]
        self.receipts = [row | {"status": status_of_receipt(row, vocabulary)} for row in kept["receipts"]]
        self.sent = with_status(sent, self.receipts)
        self.all_clicks = classified(kept["clicks"], self.sent, settings)
        # The clicks that count.
        self.clicks = [click for click in self.all_clicks if settings.bot_clicks == "count" or click["rule"] is None]
        # Every campaign that occurs in the sends log, sent or skipped.
        self.campaign_ids = {row["campaign_id"] for row in kept["sends"]}
        self.orders = [
            row | converted(row, kept["exchange_rates"], settings)
            for row in kept["orders"]
            if row["status"] == "placed"
        ]
        self.credits = self.credited(self.clicks, settings)
        sent_to = grouped(self.sent, "contact_id")
        self.unsubscribes = [
            (row, attribute_unsubscribe(row, sent_to.get((row["contact_id"],), []))) for row in kept["unsubscribes"]
        ]
        # The deciding message and all messages, by (campaign, contact).
        self.by_contact = {
            key: (deciding_message(messages), messages)
            for key, messages in grouped(self.sent, "campaign_id", "contact_id").items()
        }

    def credited(self, clicks: list[dict], settings: Settings) -> list[tuple[dict, str, dict]]:
        """An order, `direct` or `assisted`, and the click, for every campaign credited with an order by these clicks."""
        of_contact = grouped(clicks, "contact_id")
        return [
            (order, attribution, click)
            for order in self.orders
            for attribution, click in attribute_order(order, of_contact.get((order["contact_id"],), []), settings)
        ]

    def _name(self, campaign_id: str | None) -> str | None:
        return self.known[campaign_id]["campaign_name"] if campaign_id in self.known else None

    def _credited(self, campaign_id: str, attribution: str) -> list[dict]:
        return [
            order
            for order, of_kind, click in self.credits
            if of_kind == attribution and click["campaign_id"] == campaign_id
        ]

    def campaign_metrics(self) -> list[dict]:
        return [self._metrics_of(campaign_id) for campaign_id in self.campaign_ids]

    def _metrics_of(self, campaign_id: str) -> dict:
        campaign = self.known.get(campaign_id)
        sent = [message for message in self.sent if message["campaign_id"] == campaign_id]
        clicks = [click for click in self.clicks if click["campaign_id"] == campaign_id]
        direct = self._credited(campaign_id, "direct")
        assisted = self._credited(campaign_id, "assisted")
        counts = {
            "unique_clickers": len({click["contact_id"] for click in clicks}),
            "total_delivered": sum(message["status"] == "delivered" for message in sent),
            "total_sent": len(sent),
        }
        return {
            "campaign_id": campaign_id,
            "last_sent_at": max((message["sent_at"] for message in sent), default=None),
            "campaign_name": campaign and campaign["campaign_name"],
            "click_to_delivered_rate": rate(counts["unique_clickers"], counts["total_delivered"]),
            "conversion_rate": rate(len(direct), counts[self.settings.conversion_rate_denominator]),
            "direct_orders": len(direct),
            "assisted_orders": len(assisted),
            "last_modified_by": campaign and campaign["modified_by"],
            "revenue": total_of(order["revenue"] for order in direct if order["revenue"] is not None),
            "assisted_revenue": total_of(order["revenue"] for order in assisted if order["revenue"] is not None),
            "total_segments": sum(message["segments"] for message in sent),
            "total_clicks": len(clicks),
            "campaign_type": campaign and campaign["campaign_type"],
            "unsubscribes": len(
                {
                    unsubscribe["contact_id"]
                    for unsubscribe, message in self.unsubscribes
                    if message is not None and message["campaign_id"] == campaign_id
                }
            ),
        } | counts

    def campaign_overview(self) -> list[dict]:
        overview = []
        for metrics in self.campaign_metrics():
            statuses = [
                deciding["status"]
                for (campaign_id, _), (deciding, _) in self.by_contact.items()
                if campaign_id == metrics["campaign_id"]
            ]
            overview.append(
                {column: metrics[column] for column in ("campaign_id", "campaign_name", "revenue", "unsubscribes")}
                | {
                    "unique_sends": len(statuses),
                    "unique_deliveries": statuses.count("delivered"),
                    "pending": statuses.count("pending"),
                    "soft_bounces": statuses.count("soft_bounce"),
                    "hard_bounces": statuses.count("hard_bounce"),
                    "deleted": statuses.count("deleted"),
                }
            )
        return overview

    def delivery_status(self) -> list[dict]:
        rows = []
        for (campaign_id, contact_id), (deciding, messages) in self.by_contact.items():
            receipt = deciding["receipt"] or {}
            rows.append(
                {
                    "campaign_id": campaign_id,
                    "contact_id": contact_id,
                    "mobile_number": deciding["mobile_number"],
                    "delivery_status": deciding["status"],
                    "messages_sent": len(messages),
                    "message_id": deciding["message_id"],
                    "last_sent_at": max(message["sent_at"] for message in messages),
                    "status_at": deciding["status_at"],
                    "provider": receipt.get("provider"),
                    "provider_status": receipt.get("provider_status"),
                    "error_code": receipt.get("error_code"),
                }
            )
        return rows

    def skip_reasons(self) -> list[dict]:
        """Without `skip_reason_details`, whose wording is free."""
        columns = ("campaign_id", "contact_id", "message_id", "mobile_number", "skip_reason")
        return [
            {column: row[column] for column in columns}
            | {"campaign_name": self._name(row["campaign_id"]), "skipped_at": row["sent_at"]}
            for row in self.skipped
        ]

    def attributed_unsubscribes(self) -> list[dict]:
        rows = []
        for unsubscribe, message in self.unsubscribes:
            message = message or {}
            rows.append(
                {column: unsubscribe[column] for column in ("contact_id", "unsubscribed_at", "source")}
                | {column: message.get(column) for column in ("campaign_id", "message_id", "sent_at")}
                | {"campaign_name": self._name(message.get("campaign_id"))}
            )
        return rows

    def attributed_orders(self) -> list[dict]:
        of_order = ("order_id", "contact_id", "ordered_at", "revenue", "currency", "total", "refunded_amount")
        return [
            {column: order[column] for column in of_order}
            | {column: click[column] for column in ("campaign_id", "clicked_at", "click_id")}
            | {"attribution": attribution}
            for order, attribution, click in self.credits
        ]

    def suppressed_numbers(self) -> list[dict]:
        if not self.settings.hard_bounce_suppression:
            return []
        rows = []
        for (mobile_number,), messages in grouped(self.sent, "mobile_number").items():
            message = suppressing_message(messages, self.settings)
            if message is not None:
                of_message = {column: message[column] for column in ("campaign_id", "message_id", "contact_id")}
                rows.append({"mobile_number": mobile_number, "suppressed_at": message["status_at"]} | of_message)
        return rows

    def campaigns(self) -> list[dict]:
        as_they_are = ("campaign_id", "campaign_name", "campaign_type", "body", "media_url", "sender", "max_segments")
        return [
            {column: row[column] for column in as_they_are}
            | {"last_modified_by": row["modified_by"], "last_modified_at": row["modified_at"]}
            for row in self.kept["campaigns"]
        ]

    def unconverted_orders(self) -> list[dict]:
        columns = ("order_id", "contact_id", "ordered_at", "currency", "total", "refunded_amount", "reason")
        return [{column: row[column] for column in columns} for row in self.orders if row["revenue"] is None]

    def unmapped_receipts(self) -> list[dict]:
        unmapped = [receipt for receipt in self.receipts if receipt["status"] is None]
        return [
            {
                "provider": provider,
                "provider_status": provider_status,
                "error_code": error_code,
                "receipts": len(receipts),
                "messages": len({receipt["message_id"] for receipt in receipts}),
                "first_occurred_at": min(receipt["occurred_at"] for receipt in receipts),
                "last_occurred_at": max(receipt["occurred_at"] for receipt in receipts),
            }
            for (provider, provider_status, error_code), receipts in grouped(
                unmapped, "provider", "provider_status", "error_code"
            ).items()
        ]

    def unmatched_events(self) -> list[dict]:
        messages = {message["message_id"] for message in self.sent}
        campaigns = {message["campaign_id"] for message in self.sent}
        receipts = [row["occurred_at"] for row in self.receipts if row["message_id"] not in messages]
        clicks = [row["clicked_at"] for row in self.clicks if row["campaign_id"] not in campaigns]
        unsubscribes = [row["unsubscribed_at"] for row, message in self.unsubscribes if message is None]
        return [
            _unmatched("receipts", "message_not_sent", receipts),
            _unmatched("clicks", "campaign_never_sent", clicks),
            _unmatched("unsubscribes", "nothing_sent_before", unsubscribes),
        ]

    def campaign_clicks_hourly(self) -> list[dict]:
        clicks = [
            row | {"hour_at": row["clicked_at"].replace(minute=0, second=0, microsecond=0)} for row in self.clicks
        ]
        return [
            {
                "campaign_id": campaign_id,
                "hour_at": hour_at,
                "clicks": len(rows),
                "unique_clickers": len({row["contact_id"] for row in rows}),
            }
            for (campaign_id, hour_at), rows in grouped(clicks, "campaign_id", "hour_at").items()
        ]

    def campaign_clicks_by_minute(self) -> list[dict]:
        minutes = Counter(
            (row["campaign_id"], row["clicked_at"].replace(second=0, microsecond=0)) for row in self.clicks
        )
        return [
            {"campaign_id": campaign_id, "minute_at": minute_at, "clicks": clicks}
            for (campaign_id, minute_at), clicks in minutes.items()
        ]


def _unmatched(log: str, kind: str, moments: list[datetime]) -> dict:
    return {
        "log": log,
        "kind": kind,
        "events": len(moments),
        "first_at": min(moments, default=None),
        "last_at": max(moments, default=None),
    }
