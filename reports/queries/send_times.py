"""Send times: deliveries, clicks of people and orders by the weekday and hour in which the message was sent.

No mart has them. They are counted from `delivery_status`, `click_quality` and `attributed_orders` by quarters of an hour, once
for each build: it takes a third of a second of CPU for ten million contacts. The page adds quarters up to hours of the time
zone of the reports; its filters cost nothing then.

Not here: charts of clicks by the hour of the click (`reports.queries.campaign`).
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from models.marts import MartColumn
from reports.database import INSIGHTS, MARTS, Published, Selection
from reports.links import day, link, one_of
from reports.queries.proportions import Interval, Proportion, wilson_interval

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FEWEST_DELIVERED = 100
SHADES = 6
BEST = 10


class Measure(NamedTuple):
    """What the page can show for each hour. `unit` formats it."""

    label: str
    unit: str


MEASURES = {
    "click_rate": Measure("Click rate of people", "rate"),
    "order_rate": Measure("Orders per 1000 delivered", "per_thousand"),
    "delivered": Measure("Delivered", "count"),
}


@dataclass(frozen=True)
class SendTimesQuery:
    """What a link to the page asks for. Invalid values in a link are ignored."""

    first_day: date | None = None
    last_day: date | None = None
    measure: str = "click_rate"
    fewest: int = FEWEST_DELIVERED

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "SendTimesQuery":
        fewest = parameters.get("fewest", "")
        return cls(
            day(parameters.get("from", "")),
            day(parameters.get("to", "")),
            one_of(MEASURES, parameters.get("show"), cls.measure),
            int(fewest) if fewest.isascii() and fewest.isdigit() and len(fewest) <= 9 else cls.fewest,
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.first_day or self.last_day or self.fewest != FEWEST_DELIVERED)

    def link(self, path: str = "/clicks/send-times", **changes: Any) -> str:
        query = replace(self, **changes)
        parameters = [
            ("from", query.first_day),
            ("to", query.last_day),
            ("show", query.measure if query.measure != SendTimesQuery.measure else None),
            ("fewest", str(query.fewest) if query.fewest != FEWEST_DELIVERED else None),
        ]
        return link(path, parameters)


@dataclass
class Hour:
    """Messages sent within one hour of a weekday."""

    weekday: int
    hour: int
    delivered: int = 0
    clicking: int = 0
    orders: int = 0

    def add(self, other: "Quarter") -> None:
        self.delivered += other.delivered
        self.clicking += other.clicking
        self.orders += other.orders

    @property
    def click_rate(self) -> float | None:
        return self.clicking / self.delivered if self.delivered else None

    @property
    def order_rate(self) -> float | None:
        return 1000 * self.orders / self.delivered if self.delivered else None

    @property
    def interval(self) -> Interval | None:
        """The interval of the click rate."""
        return wilson_interval(Proportion(self.clicking, self.delivered))

    @property
    def name(self) -> str:
        return f"{WEEKDAYS[self.weekday]}, {self.hour:02}:00 to {(self.hour + 1) % 24:02}:00"


class Quarter(NamedTuple):
    """A quarter of an hour, by its number since 1970: contacts delivered to, messages with a click of a person, direct orders."""

    number: int
    delivered: int
    clicking: int
    orders: int


@dataclass(frozen=True)
class SendTimes:
    """`hours` by weekday; `shades` of the hours with enough deliveries, from 1 to `SHADES`.

    `ranked`: the same hours from the highest value on. `day`: the hours of a day from the first to the last
    with enough deliveries.
    """

    hours: list[list[Hour]]
    shades: dict[tuple[int, int], int]
    ranked: list[Hour]
    day: range
    total: Hour


def send_times(quarters: Iterable[Quarter], query: SendTimesQuery, zone: ZoneInfo) -> SendTimes:
    """The quarters of an hour added up to the hours of a week in `zone`, as the query asks for."""
    hours = [[Hour(weekday, hour) for hour in range(24)] for weekday in range(7)]
    total = Hour(0, 0)
    for quarter in quarters:
        local = datetime.fromtimestamp(quarter.number * 900, UTC).astimezone(zone)
        if (query.first_day and local.date() < query.first_day) or (query.last_day and local.date() > query.last_day):
            continue
        hours[local.weekday()][local.hour].add(quarter)
        total.add(quarter)
    enough = [hour for row in hours for hour in row if hour.delivered >= max(1, query.fewest)]
    values = {(hour.weekday, hour.hour): float(getattr(hour, query.measure)) for hour in enough}
    least, greatest = min(values.values(), default=0.0), max(values.values(), default=0.0)
    span = greatest - least or 1.0
    shades = {at: 1 + min(SHADES - 1, int(SHADES * (value - least) / span)) for at, value in values.items()}
    ranked = sorted(enough, key=lambda hour: (-float(getattr(hour, query.measure) or 0), hour.weekday, hour.hour))
    of_day = [hour for _, hour in shades]
    return SendTimes(hours, shades, ranked, range(min(of_day), max(of_day) + 1) if of_day else range(24), total)


def file_of(times: SendTimes) -> Selection:
    """All hours with a delivery, for a CSV, in the order of the week; rates as in marts."""
    rows = [
        (hour.weekday, hour.hour, hour.delivered, hour.clicking, hour.orders)
        for hours in times.hours
        for hour in hours
        if hour.delivered
    ]
    values = ", ".join(str(row) for row in rows) or "(null, null, null, null, null)"
    weekdays = ", ".join(f"'{name}'" for name in WEEKDAYS)
    columns = {
        "weekday_name": ("Weekday", "varchar"),
        "hour": ("Hour of sending", "bigint"),
        "delivered": ("Delivered", "bigint"),
        "clicking": ("With a click", "bigint"),
        "click_rate": ("Click rate of people", "double"),
        "orders": ("Direct orders", "bigint"),
        "orders_per_1000": ("Orders per 1000 delivered", "double"),
    }
    return Selection(
        "click_quality",
        "where delivered is not null",
        {},
        (("weekday", False), ("hour", False)),
        [(MartColumn(name, sql_type, True, "", label), label) for name, (label, sql_type) in columns.items()],
        f"select *, [{weekdays}][weekday + 1] as weekday_name, clicking / delivered as click_rate,"
        " 1000 * orders / delivered as orders_per_1000"
        f" from (values {values}) as hours(weekday, hour, delivered, clicking, orders)",
    )


class QuartersOfBuild:
    """The quarters of an hour of the published build; counted again when another build is published."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._build, self._quarters = "", list[Quarter]()

    def of(self, published: Published) -> list[Quarter]:
        build = f"{published.info['build_id']} {published.info['published_at']}"
        with self._lock:
            if self._build != build:
                self._quarters = _count(published)
                self._build = build
            return self._quarters


def _count(published: Published) -> list[Quarter]:
    """A click counts with its message, which was sent `after_ms` before it. So does an order, with its last click."""
    sent = "(epoch_us(clicks.clicked_at) - 1000 * clicks.after_ms) // 900000000"
    rows = published.rows(
        f"""
        with delivered as (
            select epoch_us(last_sent_at) // 900000000 as number, count(*) as delivered
            from {MARTS}.delivery_status where delivery_status = 'delivered' group by number
        ),
        clicking as (
            select {sent} as number, count(distinct message_id) as clicking
            from {INSIGHTS}.click_quality as clicks where not is_bot and after_ms is not null group by number
        ),
        orders as (
            select {sent} as number, count(*) as orders
            from {INSIGHTS}.click_quality as clicks join {MARTS}.attributed_orders as orders using (click_id)
            where attribution = 'direct' and after_ms is not null group by number
        )
        select number, coalesce(delivered, 0)::bigint as delivered, coalesce(clicking, 0)::bigint as clicking,
            coalesce(orders, 0)::bigint as orders
        from delivered full join clicking using (number) full join orders using (number) order by number
        """
    )
    return [Quarter(**row) for row in rows]
