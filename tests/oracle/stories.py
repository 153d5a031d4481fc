"""Generated events, as typed rows of the seven logs: campaigns that are sent, delivered or not, clicked, and lead to orders.

Ties, window edges and contradicting rows are frequent in every story.

Not here: notations and files (`renderings`, `landing_zones`), rows that break a rule (`faults`).
"""

import csv
import random
from datetime import datetime, timedelta
from decimal import Decimal

from tests.oracle.edges import Rows, add_crowd, add_edges, add_exchange_rates
from tests.oracle.logs import LOGS, SKIP_REASONS
from tests.oracle.references import SEEDS
from tests.oracle.rules import VOCABULARY_FILE

START = datetime(2026, 1, 5)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
# The default window; tests under another setting still get clicks near to both ends of this one.
WINDOW = 120 * HOUR

# Endings that order differently by bytes, by letters regardless of case, and by UTF-16 units.
ENDINGS = ("", "a", "B", "Z", "z", "É", " x", "\uff5a", "\uff5a", "\U0001f600", "\U0001f600")
# The last three would be trimmed or folded by anything that goes beyond ASCII.
NAMES = (
    "Plain",
    "Spring, sale",
    'He said "hi"',
    "a\nb",
    "=cmd()",
    "-5% off",
    "日本",
    "\u00a0Summer\u2003",
    "ſale",
    "x\r\ny",
)
BODIES = (None, "Hi {{ first_name }}, 20% off", "line1\nline2", '"', ",", "\\N", "null")
PEOPLE = ("marketing", "crm-robot", "Zoë", "ops")
CURRENCIES = ("USD", "USD", "EUR", "EUR", "GBP", "GBP", "JPY", "CHF")
# Statuses that no vocabulary knows; upper-casing beyond ASCII would turn the third into a known one.
UNKNOWN_STATUSES = ("WAT", "Undel1v", "delıvered", "DELIVRD!")
ERROR_CODES = (
    None,
    None,
    None,
    "0",
    "2",
    "7",
    "30003",
    "30003.0",
    "6.00",
    "30003.5",
    "30012",
    "406",
    "80",
    "999",
    "abc",
)
# What becomes of the messages to one number, in sending order: hard, soft, delivered, deleted, pending, unreceipted.
BOUNCES = ("hhh", "hhsh", "hphnh", "hhd", "hhdhhh", "hhxhh", "shhhd", "hhhh", "nnn", "hhpsh", "dhhh", "hsh")
STATUS_OF = {"h": "hard_bounce", "s": "soft_bounce", "d": "delivered", "x": "deleted", "p": "pending"}


APART = ("edge", "crowd")
"""The ids of rows that no contradiction may change, or take values from, begin with one of these."""
# Of countries whose prefixes begin alike, of countries that only phone networks know, and of none.
PREFIXES = ("447700", "447700", "447700", "1204", "1310", "1212", "383", "247", "2908", "7701", "7495", "999", "6723")
COSTS = (None, "0.0075", "0.04", "0", "0.000001", "0.000003", "12.345678")
COST_CURRENCIES = ("USD", "USD", "EUR", "EUR", "GBP", "CHF", "JPY")
PROVIDERS = (None, "twilio", "TWILIO", "Vonage", "gateway-1", "ＧＷ-É")
URLS = (
    *(
        None,
        None,
        "https://x.test/?a=1,2",
        'https://x.test/"',
        "HTTPS://X.test/",
        "https://x.test/A",
        "https://x.test/a",
    ),
    *("https://x.test/a#top", "x.test/a?u=https://Y.test/", "X.Test", "?a=1", "#top", "//X.test/a", "X/y://Z/a"),
)
HUMANS = (None, "Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)", "googleBOT")
# From a message to a click, around the limits of what is too fast, of the buckets, and of what a message is given credit for.
RESPONSES = [
    timedelta(seconds=seconds) + distance
    for seconds in (0, 2, 60, 600, 3600, 86_400, 259_200, 604_800)
    for distance in (-TICK, timedelta(), TICK, timedelta(milliseconds=500))
]
SECOND = timedelta(seconds=1)


def _vocabulary_lines() -> list[dict]:
    with VOCABULARY_FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tell(rng: random.Random, stories: int, *, crowd: bool = False) -> Rows:
    """The rows of this many stories in random order, with repeated and contradicting rows."""
    rows: Rows = {log: [] for log in LOGS}
    vocabulary, bots = _vocabulary_lines(), _agents_of_bots()
    for number in range(stories):
        Story(rng, number, rows, vocabulary, bots).tell()
    add_exchange_rates(rng, rows)
    add_edges(rows)
    if crowd:
        add_crowd(rng, rows)
    for log in LOGS:
        _contradict(rng, log, rows[log])
        rows[log] += [dict(row) for row in rows[log] if rng.random() < 0.12]
        rng.shuffle(rows[log])
    return rows


def _agents_of_bots() -> list[str]:
    with (SEEDS / "bot_user_agents.csv").open(encoding="utf-8", newline="") as file:
        return [line["literal"] for line in csv.DictReader(file) if line["literal"]]


class Story:
    """A few contacts and campaigns, and their events. Ids contain the number of the story."""

    def __init__(self, rng: random.Random, number: int, rows: Rows, vocabulary: list[dict], bots: list[str]):
        self.rng = rng
        self.number = number
        self.rows = rows
        self.vocabulary = vocabulary
        self.bots = bots
        self.prefix = rng.choice(PREFIXES)
        self.contacts = [f"p{number}-{index}" for index in range(rng.randint(1, 4))]
        self.campaigns = [f"c{number}-{index}{rng.choice(ENDINGS)}" for index in range(rng.randint(1, 4))]
        self.messages: list[dict] = []

    def tell(self) -> None:
        for campaign_id in self.campaigns:
            if self.rng.random() < 0.85:
                self._campaign(campaign_id)
        for _ in range(self.rng.randint(1, 10)):
            self._send(self.rng.choice(self.campaigns), self.rng.choice(self.contacts), self._moment())
        if self.rng.random() < 0.5:
            self._bounces()
        if self.rng.random() < 0.5:
            self._twins()
        for message in list(self.messages):
            self._receipts_of(message)
        if self.rng.random() < 0.5:
            self._receipt(f"ghost{self.number}", self._moment())
        for _ in range(self.rng.randint(0, 3)):
            self._clicks_on(self.rng.choice(self.messages))
        for _ in range(self.rng.randint(0, 4)):
            self._clicks_and_order()
        for _ in range(self.rng.randint(0, 2)):
            self._unsubscribe()

    def _moment(self) -> datetime:
        """Usually one of a few times, so that events coincide."""
        moment = START + timedelta(days=self.rng.randint(0, 9), hours=self.rng.choice((0, 6, 12, 18)))
        if self.rng.random() < 0.25:
            moment += timedelta(seconds=self.rng.randint(0, 86399))
        if self.rng.random() < 0.08:
            moment += timedelta(microseconds=self.rng.randint(1, 999999))
        if self.rng.random() < 0.05:
            # About as old as a message may be to count for the maturity of figures.
            moment -= timedelta(days=self.rng.randint(75, 100))
        return moment

    def _number_of(self, contact_id: str) -> str:
        """Contacts may share a number, and sometimes change it."""
        last = contact_id.rpartition("-")[2]
        if self.rng.random() < 0.15:
            last = "9"
        return f"+{self.prefix}{self.number:05d}{last}"

    def _campaign(self, campaign_id: str) -> None:
        modified_at = self._moment()
        for _ in range(self.rng.randint(1, 3)):
            self.rows["campaigns"].append(
                {
                    "campaign_id": campaign_id,
                    "campaign_name": self.rng.choice(NAMES),
                    "campaign_type": self.rng.choice(("SMS", "MMS")),
                    "body": self.rng.choice(BODIES),
                    "media_url": self.rng.choice((None, None, "https://cdn.test/a.png")),
                    "sender": self.rng.choice((None, "ACME")),
                    "max_segments": self.rng.choice((None, 1, 3, 10)),
                    "modified_by": self.rng.choice(PEOPLE),
                    "modified_at": modified_at,
                }
            )
            if self.rng.random() < 0.5:
                modified_at = self._moment()

    def _send(self, campaign_id: str, contact_id: str, sent_at: datetime, skippable: bool = True) -> dict:
        skip_reason = self.rng.choice(SKIP_REASONS) if skippable and self.rng.random() < 0.2 else None
        cost = self.rng.choice(COSTS)
        message = {
            "message_id": f"m{self.number}-{self.rng.choice(ENDINGS)}{len(self.messages)}",
            "campaign_id": campaign_id,
            "contact_id": contact_id,
            "mobile_number": self._number_of(contact_id),
            "sent_at": sent_at,
            "segments": self.rng.randint(1, 4) if skip_reason is None or self.rng.random() < 0.3 else None,
            "skip_reason": skip_reason,
            "provider": self.rng.choice(PROVIDERS),
            "cost": None if cost is None else Decimal(cost),
            "cost_currency": None if cost is None and self.rng.random() < 0.7 else self.rng.choice(COST_CURRENCIES),
        }
        self.messages.append(message)
        self.rows["sends"].append(message)
        return message

    def _bounces(self) -> None:
        """Messages to one number, by several campaigns and at times in the same moment, with the outcomes wanted; then,
        to the same number, messages that were skipped.
        """
        mobile_number = f"+{self.prefix}8{self.number:05d}0"
        sent_at = self._moment()
        for outcome in self.rng.choice(BOUNCES):
            message = self._send(self.rng.choice(self.campaigns), self.rng.choice(self.contacts), sent_at, False)
            message |= {"mobile_number": mobile_number, "settled": True}
            if outcome in STATUS_OF:
                # An earlier message may be heard of later.
                self._receipt(message["message_id"], sent_at + self.rng.randint(0, 48) * HOUR, STATUS_OF[outcome])
            if self.rng.random() < 0.7:
                sent_at += self.rng.choice((TICK, HOUR, 6 * HOUR))
        for _ in range(self.rng.randint(0, 2)):
            message = self._send(self.rng.choice(self.campaigns), self.rng.choice(self.contacts), sent_at, False)
            message |= {"mobile_number": mobile_number, "skip_reason": self.rng.choice(SKIP_REASONS)}

    def _twins(self) -> None:
        """Two messages of a campaign to a contact with the same times of sending and receipt, and two statuses."""
        campaign_id, contact_id, sent_at = self.rng.choice(self.campaigns), self.contacts[-1], self._moment()
        statuses = self.rng.choice((("delivered", "delivered"), ("hard_bounce", "soft_bounce"), ("deleted", "pending")))
        for status in statuses:
            message = self._send(campaign_id, contact_id, sent_at, False)
            message["settled"] = True
            for _ in range(self.rng.randint(1, 3)):
                self._receipt(message["message_id"], sent_at + HOUR, status)

    def _receipts_of(self, message: dict) -> None:
        if message.pop("settled", False):
            return
        occurred_at = message["sent_at"]
        for _ in range(self.rng.choice((0, 1, 1, 2, 3, 4))):
            # Three in ten share the moment of the one before.
            if self.rng.random() < 0.7:
                occurred_at += self.rng.choice((-HOUR, TICK, HOUR, 30 * HOUR, timedelta(minutes=50)))
            self._receipt(message["message_id"], occurred_at, self.rng.choice((None, None, *STATUS_OF.values())))

    def _receipt(self, message_id: str, occurred_at: datetime, status: str | None = None) -> None:
        """A receipt with this status, or a random one, which may be unknown."""
        lines = [line for line in self.vocabulary if status in (None, line["delivery_status"])]
        line = self.rng.choice(lines)
        respelt = self.rng.choice((str, str, str.upper, str.lower, str.title))
        provider, provider_status, error_code = line["provider"], line["provider_status"], line["error_code"] or None
        if status is None:
            error_code = self.rng.choice((error_code, *ERROR_CODES))
            if self.rng.random() < 0.15:
                provider_status = self.rng.choice(UNKNOWN_STATUSES)
        elif provider_status.lower() not in ("undelivered", "failed", "rejected", "undeliverable", "aborted"):
            # No code of these changes what the status means.
            error_code = error_code or self.rng.choice(ERROR_CODES)
        provider = None if provider == "smpp" and self.rng.random() < 0.5 else respelt(provider)
        # Unknown ones keep their case: not every letter of theirs survives a change of it.
        if provider_status not in UNKNOWN_STATUSES:
            provider_status = respelt(provider_status)
        self.rows["receipts"].append(
            {
                "message_id": message_id,
                "provider": provider,
                "provider_status": provider_status,
                "error_code": error_code,
                "occurred_at": occurred_at,
                "received_at": self.rng.choice((None, occurred_at, occurred_at + 70 * HOUR)),
            }
        )

    def _click(self, campaign_id: str, contact_id: str, clicked_at: datetime) -> None:
        self.rows["clicks"].append(
            {
                "click_id": f"k{self.number}-{self.rng.choice(ENDINGS)}{len(self.rows['clicks'])}",
                "campaign_id": campaign_id,
                "contact_id": contact_id,
                # Rarely of this campaign and contact, at times sent later than the click.
                "message_id": self.rng.choice((None, None, self.rng.choice(self.messages)["message_id"], "nowhere")),
                "url": self.rng.choice(URLS),
                "clicked_at": clicked_at,
                "user_agent": self._user_agent(),
            }
        )

    def _user_agent(self) -> str | None:
        if self.rng.random() < 0.85:
            return self.rng.choice(HUMANS)
        return f"Mozilla/5.0 (compatible; {self.rng.choice(self.bots)})"

    def _clicks_on(self, message: dict) -> None:
        """Clicks soon after a message, or before it, and of sweeps over its links."""
        clicked_at = message["sent_at"] + self.rng.choice(RESPONSES)
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            self._click(message["campaign_id"], message["contact_id"], clicked_at)
            if self.rng.random() < 0.5:
                self.rows["clicks"][-1]["message_id"] = message["message_id"]
            clicked_at += self.rng.choice((timedelta(), SECOND - TICK, SECOND, SECOND + TICK, -SECOND, HOUR))

    def _clicks_and_order(self) -> None:
        """Clicks around the time of an order and the start of its window, to the microsecond."""
        contact_id, ordered_at = self.rng.choice(self.contacts), self._moment()
        campaigns = [*self.campaigns, f"never{self.number}"]
        distances = (
            *(timedelta(), timedelta(), -TICK, TICK, HOUR, HOUR, 24 * HOUR, 24 * HOUR),
            *(WINDOW, WINDOW, WINDOW + TICK, WINDOW - TICK, WINDOW + HOUR),
        )
        for _ in range(self.rng.choice((0, 1, 2, 3, 4, 5, 7))):
            self._click(self.rng.choice(campaigns), contact_id, ordered_at - self.rng.choice(distances))
        if self.rng.random() < 0.85:
            self._order(contact_id if self.rng.random() < 0.9 else f"q{self.number}", ordered_at)

    def _order(self, contact_id: str, ordered_at: datetime) -> None:
        total = Decimal(self.rng.choice((0, 1, 5, 100, self.rng.randint(1, 20000)))) / 100
        if self.rng.random() < 0.2:
            # Currencies with three or four decimal places.
            total += Decimal(self.rng.choice((50, 49, 5, self.rng.randint(1, 99)))) / 10000
        row = {
            "order_id": f"o{self.number}-{len(self.rows['orders'])}{self.rng.choice(ENDINGS)}",
            "contact_id": contact_id,
            "ordered_at": ordered_at,
            "total": total,
            "refunded_amount": self.rng.choice((None, None, Decimal("0.00"), total, min(total, Decimal("0.01")))),
            "currency": self.rng.choice(CURRENCIES),
            "status": "placed" if self.rng.random() < 0.85 else "cancelled",
            "updated_at": ordered_at,
        }
        self.rows["orders"].append(row)
        for _ in range(self.rng.choice((0, 0, 0, 1, 2))):
            later = self.rng.choice((timedelta(), timedelta(), TICK, HOUR, 48 * HOUR))
            update = {"status": self.rng.choice(("placed", "cancelled")), "updated_at": row["updated_at"] + later}
            if self.rng.random() < 0.5:
                update["refunded_amount"] = self.rng.choice((None, row["total"]))
            row = row | update
            self.rows["orders"].append(row)

    def _unsubscribe(self) -> None:
        message = self.rng.choice(self.messages)
        moments = (message["sent_at"], message["sent_at"] - TICK, message["sent_at"] + TICK, self._moment())
        self.rows["unsubscribes"].append(
            {
                "contact_id": self.rng.choice((message["contact_id"], message["contact_id"], f"q{self.number}")),
                "unsubscribed_at": self.rng.choice(moments),
                "mobile_number": self.rng.choice((None, message["mobile_number"])),
                "source": self.rng.choice((None, "reply", "link", "manual")),
            }
        )


def _contradict(rng: random.Random, log: str, rows: list[dict]) -> None:
    """Adds rows with the key of another row that differ in one or two of the columns that decide which is kept."""
    for row in list(rows):
        if rng.random() < 0.15 and not _is_apart(row):
            other = dict(row)
            for _ in range(rng.randint(1, 2)):
                _change(rng, log, other, rng.choice(rows))
            rows.append(other)


def _is_apart(row: dict) -> bool:
    return str(next(iter(row.values()))).startswith(APART) or row.get("rate", 0) > 1000


def _change(rng: random.Random, log: str, row: dict, another: dict) -> None:
    """A change after which the row is still good."""
    moments = {"campaigns": "modified_at", "sends": "sent_at", "clicks": "clicked_at", "orders": "updated_at"}
    columns = {
        "campaigns": ("campaign_name", "campaign_type", "body", "media_url", "sender", "max_segments", "modified_by"),
        "sends": ("campaign_id", "contact_id", "mobile_number", "provider"),
        "receipts": ("received_at",),
        "clicks": ("campaign_id", "contact_id", "message_id", "url", "user_agent"),
        "orders": ("contact_id", "ordered_at", "currency", "status"),
        "unsubscribes": ("mobile_number", "source"),
        "exchange_rates": ("rate", "base_currency"),
    }
    if log in moments and rng.random() < 0.3:
        row[moments[log]] += rng.choice((-HOUR, -TICK, TICK, HOUR))
    elif log == "sends" and rng.random() < 0.5:
        skip_reason = rng.choice((None, *SKIP_REASONS))
        row |= {"skip_reason": skip_reason, "segments": rng.randint(1, 5)}
    elif log == "orders" and rng.random() < 0.4:
        row |= {"total": row["total"] + 1, "refunded_amount": rng.choice((None, row["total"]))}
    else:
        column = rng.choice(columns[log])
        # Story ids of others would tie stories together, which is as good a mess as any, but edges stay apart.
        if not _is_apart(another):
            row[column] = another[column]
