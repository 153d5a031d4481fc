"""What the insights of the oracle need beside the facts of the marts: cost, provider, country, maturity, log dates.

Not here: the insights themselves (`insights`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.oracle.marts import Facts
from tests.oracle.references import country_of
from tests.oracle.rules import EXACT, KEYS, Settings, Vocabulary, data_until, grouped, rate_for, total_of
from tests.oracle.values import ascii_lower

FAILED = ("soft_bounce", "hard_bounce", "deleted")
MATURE = timedelta(hours=72)
PRESSURE = timedelta(days=7)
DAY = timedelta(days=1)
COST = Decimal("0.000001")
TOO_MUCH_COST = Decimal(10) ** 12


def ratio(numerator: Decimal | int | None, denominator: Decimal | int | None) -> float | None:
    return float(Fraction(numerator) / Fraction(denominator)) if numerator is not None and denominator else None


def total_cost(messages: Iterable[dict]) -> Decimal | None:
    """The sum of the converted costs; None where there is none."""
    costs = [message["converted_cost"] for message in messages if message["converted_cost"] is not None]
    if not costs:
        return None
    total = COST * 0
    for cost in costs:
        total = EXACT.add(total, cost)
    if total >= TOO_MUCH_COST:
        raise OverflowError(f"{total} does not fit DECIMAL(18,6)")
    return total


def total_revenue(orders: Iterable[dict]) -> Decimal:
    """The sum of the revenues; orders that were not converted add nothing."""
    return total_of(order["revenue"] for order in orders if order["revenue"] is not None)


class InsightFacts(Facts):
    """The facts, with more values of each message, and the direct orders with their clicks.

    Each sent message also has `provider_shown`, `country`, `converted_cost`, `cost_state`, `day` (UTC, of `sent_at`),
    `is_mature`, `has_receipt`, `messages_before`, `first_log_date`.
    """

    def __init__(self, rows: dict[str, list[dict]], settings: Settings, vocabulary: Vocabulary):
        super().__init__(rows, settings, vocabulary)
        self.data_until = data_until(rows)
        self.first_log_dates = {
            log: _first_log_dates(log, rows.get(log, [])) for log in ("sends", "receipts", "clicks", "orders")
        }
        with_receipt = {receipt["message_id"] for receipt in self.receipts}
        for message in self.sent:
            message |= self._cost_of(message) | {
                "provider_shown": _provider_of(message),
                "country": country_of(message["mobile_number"]),
                "day": message["sent_at"].date(),
                "is_mature": self.ends_at is not None and message["sent_at"] < self.ends_at - MATURE,
                "has_receipt": message["message_id"] in with_receipt,
                "first_log_date": self.first_log_dates["sends"][(message["message_id"],)],
            }
        for messages in grouped(self.sent, "contact_id").values():
            moments = sorted(message["sent_at"] for message in messages)
            for message in messages:
                before = bisect_left(moments, message["sent_at"]) - bisect_left(moments, message["sent_at"] - PRESSURE)
                message["messages_before"] = min(before, 7)
        self.by_campaign = grouped(self.sent, "campaign_id")
        self.clicks_by_campaign = grouped(self.clicks, "campaign_id")
        self.direct = _direct(self.credits)
        self.direct_by_campaign: dict[str, list[tuple[dict, dict]]] = defaultdict(list)
        for order, click in self.direct:
            self.direct_by_campaign[click["campaign_id"]].append((order, click))
        self.unsubscribed = [(row, message) for row, message in self.unsubscribes if message is not None]

    @property
    def ends_at(self) -> datetime | None:
        """The end of the data: midnight after its last day."""
        return datetime.combine(self.data_until, time()) + DAY if self.data_until else None

    @property
    def last_mature_day(self) -> date | None:
        """The last UTC day all of whose messages are mature."""
        return (self.ends_at - MATURE - DAY).date() if self.ends_at else None

    def campaign_type(self, campaign_id: str) -> str | None:
        return self.known[campaign_id]["campaign_type"] if campaign_id in self.known else None

    def report_day(self, moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(self.settings.report_timezone)).date()

    def direct_over_all_clicks(self) -> list[tuple[dict, dict]]:
        return _direct(self.credited(self.all_clicks, self.settings))

    def _cost_of(self, message: dict) -> dict:
        if message["cost"] is None:
            return {"converted_cost": None, "cost_state": "none"}
        spent = {"currency": message["cost_currency"], "ordered_at": message["sent_at"]}
        exchange_rate = rate_for(spent, self.kept["exchange_rates"], self.settings)
        if exchange_rate is not None:
            # A cost is never negative, so half up is half away from zero.
            cost = EXACT.multiply(message["cost"], exchange_rate).quantize(COST, context=EXACT)
            if cost < TOO_MUCH_COST:
                return {"converted_cost": cost, "cost_state": "converted"}
        return {"converted_cost": None, "cost_state": "unconverted"}


def _provider_of(message: dict) -> str | None:
    provider = message["receipt"]["provider"] if message["receipt"] else message["provider"]
    return None if provider is None else ascii_lower(provider)


def _first_log_dates(log: str, rows: list[dict]) -> dict[tuple, date]:
    """The least log date of the rows with each key."""
    return {key: min(row["log_date"] for row in of_key) for key, of_key in grouped(rows, *KEYS[log]).items()}


def _direct(credits: list[tuple[dict, str, dict]]) -> list[tuple[dict, dict]]:
    return [(order, click) for order, attribution, click in credits if attribution == "direct"]
