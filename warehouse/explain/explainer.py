"""Why a figure is what it is: for a campaign, a message, an order or a contact, the rows, files and rules that made it.

An explanation is worked out from the lake as it is now, and told beside what was published: it says which build that is,
and whether lake, settings or models have moved on since. Lists are cut, with the number of all; numbers are masked.

Not here: how rows become figures (`warehouse.explain.rules_sql`), how it is shown (`orchestration.cli.output.explanations`).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from models.enums import Log
from models.marts import NUMBER_HASH
from models.masking import MASKED_COLUMNS, masked_number
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import literal
from warehouse.explain.rules_sql import SAME, Evidence, attach_published, rules_of
from warehouse.ledger import Ledger
from warehouse.privacy import load_keyed_hash
from warehouse.publish.masking import is_masked
from warehouse.transform import build

MOST_ROWS = 10
"""So many rows of a list are shown; the rest are counted."""

_FROM = "source_file || ', row ' || row_number as came_in"


@dataclass(frozen=True)
class Listing:
    """Some rows of evidence: at most `MOST_ROWS` of `total`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


@dataclass(frozen=True)
class Basis:
    """What the explanation stands beside: the published build, and whether it was made of the lake as it is now."""

    build_id: str | None
    published_at: datetime | None
    is_current: bool
    data_until: date | None


@dataclass
class Explanation:
    """`conclusion` holds figures by name, as the rules give them; `rules` what led to them, in words; `published` what
    the marts say, under the same names; empty where they have no such row.
    """

    kind: str
    key: str
    basis: Basis
    conclusion: dict[str, Any] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def disagreements(self) -> dict[str, tuple[Any, Any]]:
        """Figures that were published otherwise: what the lake gives now, and what was published."""
        return {
            name: (value, self.published[name])
            for name, value in self.conclusion.items()
            if name in self.published and self.published[name] != value
        }


class Unknown(Exception):
    """No row in the lake has the id; the message says where it might be."""


class Explainer:
    """Explains one thing at a time. Reads lake, quarantine and published marts; takes no lock and writes nothing."""

    def __init__(self, settings: Settings, paths: DataPaths, ledger: Ledger, connection: Any) -> None:
        self._settings, self._paths, self._ledger, self._connection = settings, paths, ledger, connection
        if not paths.has_lake():
            raise Unknown("Nothing has been loaded yet")
        self._evidence = Evidence(connection, settings, paths)
        self._has_published = paths.published_marts.exists()
        if self._has_published:
            attach_published(connection, paths)
        self.basis = self._basis()

    def explain(self, kind: str, key: str) -> Explanation:
        """The explanation of a campaign, message, order or contact.

        Raises:
            Unknown: the lake knows no such id.
        """
        explanation = Explanation(kind, key, self.basis)
        {"campaign": self._campaign, "message": self._message, "order": self._order, "contact": self._contact}[kind](
            explanation, {"key": key}
        )
        self._quarantined(explanation, key)
        return explanation

    # --- what each kind comes to

    def _message(self, told: Explanation, key: dict[str, str]) -> None:
        self._evidence.messages("select $key::varchar as message_id", key)
        rows = self._listing(told, "Rows of the sends log", "from sends_rows order by place", _shown_of(Log.SENDS))
        receipts = self._listing(
            told,
            "Receipts, the deciding one first; repeated ones once",
            "from receipts_rows order by place",
            "provider, provider_status, error_code, occurred_at, delivery_status, vocabulary_row, copies,"
            " first.source_file || ', row ' || first.row_number as came_in",
        )
        if not rows:
            if receipts:
                told.rules.append("It is not in the sends log: its receipts wait until it is (unmatched_events)")
                return
            raise self._unknown("message", told.key)
        (message,) = self._records("from messages")
        told.rules.append(self._kept(Log.SENDS, "sends_rows"))
        if not message["is_sent"]:
            told.conclusion = {name: message[name] for name in ("campaign_id", "contact_id", "skip_reason")}
            told.rules.append("It was skipped: it counts in the skipped report (skip_reasons) and nowhere else")
            self._published(told, "skip_reasons", "message_id = $key", key)
            return
        names = (
            "campaign_id",
            "contact_id",
            "delivery_status",
            "status_at",
            "provider",
            "provider_status",
            "error_code",
        )
        told.conclusion = {name: message[name] for name in names}
        told.rules.append(self._deciding_receipt())
        if not self._published(told, "delivery_status", "message_id = $key", key) and self._has_published:
            place = {"campaign": message["campaign_id"], "contact": message["contact_id"]}
            found = self._records(
                "select delivery_status, message_id from published.marts.delivery_status"
                " where campaign_id = $campaign and contact_id = $contact",
                place,
            )
            told.rules += [
                f"The contact's status in the campaign, {one['delivery_status']}, is decided by another message:"
                f" {one['message_id']}"
                for one in found
            ]

    def _deciding_receipt(self) -> str:
        receipts = self._records("from receipts_rows where weight > 0 order by place limit 2")
        if not receipts:
            return "No receipt counts: none came, or none that the vocabulary knows. Pending, since it was sent"
        first, second = receipts[0], receipts[1] if len(receipts) > 1 else None
        rule = {
            3: "It was delivered: the earliest delivered receipt decides, whatever came after it",
            2: "It was never delivered: the latest final receipt decides",
            1: "No final receipt came: the latest pending one decides",
        }[first["weight"]]
        if second and (second["weight"], second["occurred_at"]) == (first["weight"], first["occurred_at"]):
            rule += (
                "; of several at that moment, deleted before hard_bounce before soft_bounce, then the greatest provider,"
                " provider_status, error_code"
            )
        return rule

    def _order(self, told: Explanation, key: dict[str, str]) -> None:
        self._evidence.orders("select $key::varchar as order_id", key)
        if not self._listing(told, "Rows of the orders log", "from orders_rows order by place", _shown_of(Log.ORDERS)):
            raise self._unknown("order", told.key)
        told.rules.append(self._kept(Log.ORDERS, "orders_rows"))
        orders = self._records("from orders")
        if not orders:
            told.conclusion = {
                "status": "cancelled",
                "revenue": None,
                "direct_campaign": None,
                "assisted_campaigns": [],
            }
            told.rules.append("It is cancelled: it counts nowhere")
            return
        (order,) = orders
        told.rules.append(self._conversion(order))
        credited = self._records("from credited order by attribution = 'assisted', clicked_at desc, campaign_id")
        direct = [one["campaign_id"] for one in credited if one["attribution"] == "direct"]
        told.conclusion = {
            "status": order["status"],
            "revenue": order["revenue"],
            "direct_campaign": direct[0] if direct else None,
            "assisted_campaigns": sorted(one["campaign_id"] for one in credited if one["attribution"] == "assisted"),
        }
        hours = self._settings.conversion_window_hours
        told.rules.append(
            f"Direct is the campaign of the contact's last click in the {hours} hours up to the order (ties: the greatest"
            " click_id); each other campaign clicked in that time is assisted"
            if credited
            else f"The contact clicked on no campaign in the {hours} hours up to the order: no campaign led to it"
        )
        self._listing(
            told,
            "Campaigns credited, each by the contact's last click on it",
            "from credited order by attribution = 'assisted', clicked_at desc, campaign_id",
            f"campaign_id, attribution, clicked_at, click_id, clicks, {_FROM}",
        )
        if self._has_published:
            published = self._records(
                "from published.marts.attributed_orders where order_id = $key order by attribution, campaign_id", key
            )
            told.published = {
                "direct_campaign": next(
                    (one["campaign_id"] for one in published if one["attribution"] == "direct"), None
                ),
                "assisted_campaigns": sorted(
                    one["campaign_id"] for one in published if one["attribution"] == "assisted"
                ),
            }
            if published:
                told.published["revenue"] = published[0]["revenue"]

    def _conversion(self, order: dict[str, Any]) -> str:
        kept = f"Revenue: {order['total']} - {order['refunded_amount']} {order['currency']}"
        reporting = self._settings.reporting_currency
        if order["currency"] == reporting:
            return f"{kept}, which is the reporting currency"
        if order["rate"] is None:
            return (
                f"{kept}: no rate of {order['currency']} to {reporting} on or before {order['ordered_date']}; it counts as an"
                " order, its revenue nowhere (unconverted_orders)"
            )
        return (
            f"{kept}, times {order['rate']}, the rate of {order['rate_date']} ({order['rate_file']}, row"
            f" {order['rate_row']}), rounded half away from zero"
        )

    def _campaign(self, told: Explanation, key: dict[str, str]) -> None:
        self._evidence.campaigns("select $key::varchar as campaign_id", key)
        edits = self._listing(
            told, "Edits in the campaigns log", "from campaigns_rows order by place",
            f"campaign_name, campaign_type, modified_by, modified_at, {_FROM}",
        )  # fmt: skip
        counted = self._records("from campaigns")
        clicks = self._records("select count(*) as clicks from clicks")[0]["clicks"]
        if not counted:
            if not edits and not clicks:
                raise self._unknown("campaign", told.key)
            told.rules.append("It is not in the sends log: it has no row in campaign_metrics")
        for one in counted:
            told.conclusion = {name: value for name, value in one.items() if name != "campaign_id"}
        if edits:
            told.rules.append("Name, type and editor: " + self._kept(Log.CAMPAIGNS, "campaigns_rows"))
        denominator = self._settings.conversion_rate_denominator
        told.rules += [
            "Messages count once by message_id; a contact counts as delivered if any message was, else by the last one sent",
            f"click_to_delivered_rate = unique_clickers / total_delivered; conversion_rate = direct_orders / {denominator}",
            f"Orders: those of its clickers within {self._settings.conversion_window_hours} hours; revenue in"
            f" {self._settings.reporting_currency}",
            "Unsubscribes: contacts to whom it was the last message sent before they unsubscribed",
        ]
        for title, table, columns in (
            ("Messages by file", "messages", "source_file, count(*) filter (is_sent) as sent,"
             " count(*) filter (not is_sent) as skipped"),
            ("Messages by status", "messages", "coalesce(delivery_status, skip_reason) as status, count(*) as messages"),
            ("Contacts by status", "contact_statuses", "delivery_status, count(*) as contacts"),
            ("Clicks by file", "clicks", "source_file, count(*) as clicks"),
        ):  # fmt: skip
            self._listing(told, title, f"from (select {columns} from {table} group by all) order by all", "*")
        self._listing(
            told, "Orders credited", "from credited order by ordered_at desc, order_id",
            "order_id, attribution, contact_id, ordered_at, clicked_at, click_id, revenue",
        )  # fmt: skip
        self._listing(
            told, "Unsubscribes attributed", "from unsubscribes order by unsubscribed_at desc, contact_id",
            f"contact_id, unsubscribed_at, message_id, sent_at, {_FROM}",
        )  # fmt: skip
        self._published(told, "campaign_metrics", "campaign_id = $key", key)
        self._published(told, "campaign_overview", "campaign_id = $key", key)

    def _contact(self, told: Explanation, key: dict[str, str]) -> None:
        evidence = self._evidence
        evidence.messages("select distinct message_id from lake_sends where contact_id = $key", key, into="found")
        evidence.run("create or replace temp table messages as select * from found where contact_id = $key", key)
        evidence.orders("select distinct order_id from lake_orders where contact_id = $key", key)
        evidence.rows(Log.CLICKS, "select distinct click_id from lake_clicks where contact_id = $key", key)
        evidence.unsubscribes("select $key::varchar as contact_id", key)
        counts = self._records(
            "select (select count(*) from messages where is_sent) as messages_sent,"
            " (select count(*) from messages where not is_sent) as messages_skipped,"
            " (select count(*) from messages where delivery_status = 'delivered') as messages_delivered,"
            " (select count(*) from clicks_rows where place = 1 and contact_id = $key) as clicks,"
            " (select count(*) from orders where contact_id = $key) as orders_placed,"
            " (select count(*) from unsubscribes) as unsubscribes",
            key,
        )
        told.conclusion = counts[0]
        if not any(told.conclusion.values()) and not self._records("from orders_rows limit 1"):
            raise self._unknown("contact", told.key)
        self._listing(
            told, "Messages, the latest first", "from messages order by sent_at desc, message_id",
            f"message_id, campaign_id, mobile_number, sent_at, coalesce(delivery_status, skip_reason) as status, status_at,"
            f" {_FROM}",
        )  # fmt: skip
        self._listing(
            told, "Clicks, the latest first",
            "from (from clicks_rows where place = 1 and contact_id = $key) order by clicked_at desc, click_id",
            f"click_id, campaign_id, clicked_at, {_FROM}", key,
        )  # fmt: skip
        self._listing(
            told, "Orders, the latest first",
            "from (from orders where contact_id = $key) order by ordered_at desc, order_id",
            f"order_id, ordered_at, total, refunded_amount, currency, revenue, {_FROM}", key,
        )  # fmt: skip
        self._listing(
            told, "Unsubscribes, each with the last message sent before it",
            "from unsubscribes order by unsubscribed_at desc",
            f"unsubscribed_at, source, campaign_id, message_id, sent_at, {_FROM}",
        )  # fmt: skip
        if self._has_published:
            suppressed = self._listing(
                told, "Numbers of the contact that are suppressed, with the message that completed the run of hard bounces",
                f"from ({self._suppressed()}) order by suppressed_at",
                "mobile_number, suppressed_at, campaign_id, message_id, contact_id",
            )  # fmt: skip
            if suppressed:
                told.rules.append(
                    f"A number is suppressed after {self._settings.hard_bounces_to_suppress} hard bounces in a row, whatever"
                    " contact they were sent to; pending messages do not interrupt a run"
                )

    def _suppressed(self) -> str:
        """Published suppressions of the numbers in `messages`; one that was published masked is known by its hash."""
        if not is_masked(self._connection, "published"):
            return "from published.marts.suppressed_numbers semi join messages using (mobile_number)"
        load_keyed_hash(self._settings, self._paths, self._ledger).show(self._connection)
        return (
            "select suppressed.* replace (number as mobile_number) from published.marts.suppressed_numbers as suppressed"
            " join (select distinct mobile_number as number from messages)"
            f" on suppressed.{NUMBER_HASH} = keyed_hash(number)"
        )

    # --- what all kinds share

    def _basis(self) -> Basis:
        last, candidate = self._ledger.last_publication(), self._ledger.candidate()
        is_current = (
            last is not None
            and candidate is not None
            and candidate.build_id == last[0]
            and build.is_current(self._settings, self._paths, self._ledger)
        )
        if not self._has_published:
            return Basis(None, None, False, self._ledger.data_until())
        (info,) = self._records("select build_id, published_at from published.marts.build_info")
        is_current = is_current and last is not None and info["build_id"] == last[0]
        return Basis(info["build_id"], info["published_at"], is_current, self._ledger.data_until())

    def _records(self, query: str, parameters: dict[str, str] | None = None) -> list[dict[str, Any]]:
        cursor = self._evidence.run(query, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _listing(
        self, told: Explanation, title: str, query: str, columns: str, parameters: dict[str, str] | None = None
    ) -> int:
        """Adds the first rows of a query (`from … order by …`) to an explanation; gives the number of all."""
        (total,) = self._evidence.run(f"select count(*) from (select 1 {query})", parameters).fetchone()
        if total:
            cursor = self._evidence.run(f"select {columns} {query} limit {MOST_ROWS}", parameters)
            names = tuple(column[0] for column in cursor.description)
            rows = tuple(
                tuple(
                    masked_number(value) if name in MASKED_COLUMNS and value else value
                    for name, value in zip(names, row, strict=True)
                )
                for row in cursor.fetchall()
            )
            told.listings.append(Listing(title, names, rows, total))
        return total

    def _published(self, told: Explanation, mart: str, condition: str, key: dict[str, str]) -> bool:
        if not self._has_published:
            return False
        found = self._records(f"from published.marts.{mart} where {condition}", key)
        for row in found:
            told.published |= {name: value for name, value in row.items() if name in told.conclusion}
        return bool(found)

    def _kept(self, log: Log, table: str) -> str:
        """Which of several rows of one key is kept, and by which rule."""
        rows = self._records(f"select terms, rows_of_key, source_file, row_number from {table} order by place limit 2")
        first = rows[0]
        where = f"row {first['row_number']} of {log}/{first['source_file']}"
        if len(rows) == 1:
            return f"its only row in the log is {where}"
        pairs = zip(rules_of(log), first["terms"], rows[1]["terms"], strict=True)
        rule = next((words for (_, words), kept, other in pairs if kept != other), SAME)
        return f"of {first['rows_of_key']} rows in the log, {where} is kept: {rule}"

    def _quarantined(self, told: Explanation, key: str) -> None:
        """Adds rows in quarantine that hold the id somewhere in their text."""
        files = self._quarantine_files()
        if files:
            self._listing(
                told, "Rows in quarantine that mention it: they count nowhere",
                f"from (select * from read_parquet({files}, hive_partitioning = true, hive_types = {{'log_date': date}},"
                " filename = true) where contains(raw_row, $key)) order by log_date, source_file, row_number",
                "split_part(filename, '/', -3) as log, source_file, row_number, array_to_string(reasons, '; ') as reasons",
                {"key": key},
            )  # fmt: skip

    def _quarantine_files(self) -> str:
        files = sorted(self._paths.quarantine.glob("*/log_date=*/*.parquet"))
        return f"[{', '.join(literal(file) for file in files)}]" if files else ""

    def _unknown(self, kind: str, key: str) -> Unknown:
        told = Explanation(kind, key, self.basis)
        self._quarantined(told, key)
        words = f"No {kind} {key!r} is in the lake; logs are loaded until {self.basis.data_until}."
        if told.listings:
            (listing,) = told.listings
            log, source_file, row_number, reasons = listing.rows[0]
            words += (
                f" {listing.total} rows in quarantine mention it, the first in {log}/{source_file}, row {row_number}:"
                f" {reasons}"
            )
        else:
            words += " No row in quarantine mentions it either. Ids are case-sensitive."
        return Unknown(words)


def _shown_of(log: Log) -> str:
    columns = {
        Log.SENDS: "campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason",
        Log.ORDERS: "contact_id, ordered_at, total, refunded_amount, currency, status, updated_at",
    }
    return f"if(place = 1, 'kept', '') as kept, {columns[log]}, {_FROM}"
