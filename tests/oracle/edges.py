"""Generated rows beside the stories: exchange rates, values at the limits of the rules, and a crowd that makes an incident.

Not here: campaigns and what becomes of them (`stories`).
"""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

Rows = dict[str, list[dict]]


def add_exchange_rates(rng: random.Random, rows: Rows) -> None:
    """Days with gaps, other base currencies, and rates such as 0.5 that give half cents. JPY has no rate."""
    for currency in ("EUR", "GBP", "CHF", "USD"):
        # Some orders come before the first rate.
        for day in sorted(rng.sample(range(-3, 14), 7)) if currency != "CHF" else (4, 8):
            rows["exchange_rates"].append(
                {
                    "rate_date": date(2026, 1, 5) + timedelta(days=day),
                    "currency": currency,
                    "rate": rng.choice(
                        (
                            "0.5",
                            "0.5",
                            "1.5",
                            "0.25",
                            "1.25",
                            "1.105",
                            "1.25005",
                            "0.0000000001",
                            "1.33333333",
                            "1.0333333333",
                            "2",
                        )
                    ),
                    "base_currency": rng.choice((None, None, "USD", "USD", "EUR", "CHF")),
                }
            )
    for row in rows["exchange_rates"]:
        row["rate"] = Decimal(row["rate"])


def add_edges(rows: Rows) -> None:
    """Values at the limits of the rules, with contacts of their own."""
    first, last = datetime(1990, 1, 1), datetime(2099, 12, 31, 23, 59, 59, 999999)
    campaign = {
        "campaign_id": "edge" + "😀" * 124,
        "campaign_name": "x" * 5000,
        "campaign_type": "MMS",
        "body": "\n".join(["many lines"] * 60),
        "media_url": None,
        "sender": None,
        "max_segments": 2**31 - 1,
        "modified_by": "ops",
        "modified_at": last,
    }
    rows["campaigns"] += [campaign, campaign | {"campaign_id": "edge1", "max_segments": 1, "modified_at": first}]
    send = {
        "message_id": "edge" + "m" * 124,
        "campaign_id": campaign["campaign_id"],
        "contact_id": "edge-contact",
        "mobile_number": "+1234567",
        "sent_at": first,
        "segments": 255,
        "skip_reason": None,
        "provider": None,
        "cost": None,
        "cost_currency": None,
    }
    # The greatest cost stands alone in each of its sums: its message is the only one of its campaign, day and year with a cost.
    dearest = {"sent_at": last, "segments": 1, "cost": Decimal("999999999999.999999"), "cost_currency": "USD"}
    # Before and after conversion: too much, and as little as there can be.
    in_gold = {"sent_at": datetime(2026, 3, 1), "campaign_id": "edge1", "cost_currency": "XAU"}
    rows["sends"] += [
        send,
        send | {"message_id": "edge2", "mobile_number": "+123456789012345"} | dearest,
        send | {"message_id": "edge3", "segments": None, "skip_reason": "ContentTooLong"},
        send | {"message_id": "edge4"} | in_gold | {"cost": Decimal(500)},
        send | {"message_id": "edge5"} | in_gold | {"cost": Decimal("0.000001")},
    ]
    order = {
        "order_id": "edge-order",
        "contact_id": "edge-buyer",
        # Before any rate: no conversion can make too much of it.
        "ordered_at": first,
        "total": Decimal("99999999999999.9999"),
        "refunded_amount": None,
        "currency": "USD",
        "status": "placed",
        "updated_at": last,
    }
    rows["orders"] += [
        order,
        order | {"order_id": "edge-order2", "refunded_amount": order["total"]},
        # Too much in the reporting currency.
        order | {"order_id": "edge-order3", "currency": "XAU", "ordered_at": datetime(2026, 3, 1)},
    ]
    rate = {"rate_date": date(2026, 2, 28), "currency": "XAU", "rate": Decimal("9999999999.9999999999")}
    rows["exchange_rates"] += [rate | {"base_currency": None}, rate | {"currency": "IRR", "base_currency": "GBP"}]


def add_crowd(rng: random.Random, rows: Rows) -> None:
    """A thousand messages without failures by one provider in one country within 28 days; then days with as many messages and
    failures as an incident needs, or one too few.
    """
    first_day = datetime(2026, 1, 5)
    contacts = [f"crowd-{number}" for number in range(60)]

    def send(day: int, count: int, failures: int = 0) -> None:
        for number in range(count):
            message_id = f"crowd{day}-{number}"
            sent_at = first_day + timedelta(days=day, seconds=rng.randrange(86_400))

            def receipt(provider: str, status: str, code: str | None, message_id=message_id, sent_at=sent_at) -> None:
                occurred_at = sent_at + rng.choice((0, 1, 10, 10.001, 60, 61, 3600, 3601)) * timedelta(seconds=1)
                rows["receipts"].append(
                    {
                        "message_id": message_id,
                        "provider": provider,
                        "provider_status": status,
                        "error_code": code,
                        "occurred_at": occurred_at + timedelta(milliseconds=rng.randrange(500)),
                        "received_at": None,
                    }
                )

            contact = rng.randrange(len(contacts))
            rows["sends"].append(
                {
                    "message_id": message_id,
                    "campaign_id": f"crowd{number % 2}",
                    "contact_id": contacts[contact],
                    "mobile_number": f"+500{contact:05d}",
                    "sent_at": sent_at,
                    "segments": 1,
                    "skip_reason": None,
                    "provider": rng.choice(("twilio", "Twilio")),
                    "cost": Decimal("0.01"),
                    "cost_currency": "GBP",
                }
            )
            if number < failures:
                receipt("twilio", rng.choice(("undelivered", "failed")), rng.choice(("30003", "30007", "999")))
            elif number % 7 == 0:
                receipt("TWILIO", "delivered", None)

    # A day further back than the baseline of the first day that is tested, then that baseline, or one message less.
    send(-30, 20, 15)
    send(-29, 33)
    send(-20, 500)
    send(-3, 466)
    send(-2, rng.choice((0, 1)))
    # Three of a hundred are as many as it takes, exactly.
    send(-1, 100, rng.choice((2, 3, 4)))
    send(0, rng.choice((99, 100)), 25)
    send(1, 110, 40)
    send(3, 120, 50)
