"""Send times: the hours of a week in the time zone of the reports, and the page."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from reports.formatting import count, per_thousand, rate
from reports.queries.send_times import Quarter, SendTimesQuery, send_times
from tests.reports.conftest import Site
from tests.reports.reading import csv_rows, open_page, table
from tests.reports.test_delivery_pages import plain
from tests.running import mart_rows


def quarter(moment: datetime, delivered: int, clicking: int = 0, orders: int = 0) -> Quarter:
    return Quarter(int(moment.replace(tzinfo=UTC).timestamp()) // 900, delivered, clicking, orders)


def test_quarters_of_an_hour_add_up_in_a_zone_of_three_quarters() -> None:
    sunday = datetime(2026, 11, 29, 18, 15)  # midnight of Monday in Kathmandu, five hours and three quarters ahead
    quarters = [
        quarter(sunday - timedelta(minutes=15), 1, 1),
        quarter(sunday, 200, 20, 1),
        quarter(sunday + timedelta(minutes=45), 100, 4),
        quarter(sunday + timedelta(minutes=60), 7),
    ]
    times = send_times(quarters, SendTimesQuery(), ZoneInfo("Asia/Kathmandu"))
    assert (times.hours[6][23].delivered, times.hours[0][0].delivered, times.hours[0][1].delivered) == (1, 300, 7)
    assert (times.hours[0][0].clicking, times.hours[0][0].orders) == (24, 1)
    assert [hour.name for hour in times.ranked] == ["Monday, 00:00 to 01:00"]
    assert times.total.delivered == 308


def test_hours_with_few_deliveries_are_left_out_and_days_can_be_chosen() -> None:
    monday = datetime(2026, 11, 23, 9)
    quarters = [
        quarter(monday, 99, 90),
        quarter(monday + timedelta(days=1), 100, 1),
        quarter(monday + timedelta(days=7), 1),
    ]
    zone = ZoneInfo("UTC")
    assert set(send_times(quarters, SendTimesQuery(), zone).shades) == {(0, 9), (1, 9)}
    first_week = SendTimesQuery(last_day=datetime(2026, 11, 29).date())
    assert set(send_times(quarters, first_week, zone).shades) == {(1, 9)}
    few = SendTimesQuery(last_day=datetime(2026, 11, 29).date(), fewest=99)
    assert [hour.weekday for hour in send_times(quarters, few, zone).ranked] == [0, 1]
    assert send_times([], SendTimesQuery(), zone).ranked == []


def test_invalid_values_of_a_link_are_ignored() -> None:
    query = SendTimesQuery.of({"from": "2026-13-01", "show": "anything", "fewest": "-3"})
    assert query == SendTimesQuery()
    assert (
        SendTimesQuery.of({"fewest": "5", "show": "delivered"}).link() == "/clicks/send-times?show=delivered&fewest=5"
    )


def test_the_page_counts_by_the_hour_of_the_message(sample: Site) -> None:
    file = sample.paths.published_marts
    delivered, clicking, orders = (
        Counter[tuple[int, int]](),
        dict[tuple[int, int], set[str]](),
        Counter[tuple[int, int]](),
    )

    def hour(moment: datetime) -> tuple[int, int]:
        return moment.weekday(), moment.hour

    for row in mart_rows(file, "delivery_status"):
        if row["delivery_status"] == "delivered":
            delivered[hour(row["last_sent_at"])] += 1
    clicks = {row["click_id"]: row for row in mart_rows(file, "click_quality") if row["after_ms"] is not None}
    sent = {key: row["clicked_at"] - timedelta(milliseconds=row["after_ms"]) for key, row in clicks.items()}
    for key, row in clicks.items():
        if not row["is_bot"]:
            clicking.setdefault(hour(sent[key]), set()).add(row["message_id"])
    for row in mart_rows(file, "attributed_orders"):
        if row["attribution"] == "direct" and row["click_id"] in sent:
            orders[hour(sent[row["click_id"]])] += 1
    assert sum(orders.values())
    assert delivered
    weekdays = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    shown = table(open_page(sample, "/clicks/send-times?show=delivered&fewest=1"), "Delivered, by")
    for number, row in enumerate(shown):
        assert row["Weekday"] == weekdays[number]
        for at in range(24):
            value = delivered[number, at]
            assert row.get(f"{at:02}", "too few") == (count(value) if value else "too few")
    best = table(open_page(sample, "/clicks/send-times?fewest=1"), "The hours with the highest")
    rates = {key: len(clicking.get(key, ())) / value for key, value in delivered.items()}
    expected = sorted(rates, key=lambda key: (-rates[key], key))[:10]
    assert [(row["Click rate of people"], row["Delivered"], row["Direct orders"]) for row in best] == [
        (plain(rate(rates[key])), count(delivered[key]), count(orders[key])) for key in expected
    ]
    best = table(
        open_page(sample, "/clicks/send-times?fewest=1&show=order_rate"), "The hours with the highest order rate"
    )
    expected = sorted(delivered, key=lambda key: (-orders[key] / delivered[key], key))[:10]
    assert [row["Per 1,000 delivered"] for row in best] == [
        per_thousand(1000 * orders[key] / delivered[key]) for key in expected
    ]
    file_rows = csv_rows(sample, "/clicks/send-times.csv")
    assert {
        (weekdays.index(row["Weekday"]), int(row["Hour of sending"])): (
            int(row["Delivered"]),
            int(row["Direct orders"]),
        )
        for row in file_rows
    } == {key: (number, orders[key]) for key, number in delivered.items()}
