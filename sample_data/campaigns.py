"""The sample's campaigns: the calendar of the whole period, the audience of each campaign, the rows of the campaigns log.

Not here: the messages of each day (`traffic`).
"""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from sample_data.contacts import Contacts
from sample_data.ids import DAY, HOUR, SECOND, Clock, ids

# Name, whether it is an MMS, body.
_THEMES = [
    (
        "Weekend sale",
        False,
        "Weekend sale: 20% off everything until Sunday midnight. Shop {{ short_link }} Reply STOP to opt out",
    ),
    (
        "New arrivals",
        True,
        (
            "Just in: our new season, {{ contact.first_name | default: 'friend' }} 🌿 Have a first look "
            "{{ short_link }}\nReply STOP to opt out"
        ),
    ),
    (
        "Back in stock",
        False,
        (
            "Hi {{ contact.first_name | default: 'there' }}, {{ product.title }} is back in stock. "
            "It went fast last time: {{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "Basket reminder",
        False,
        (
            "You left something behind, {{ contact.first_name | default: 'there' }} 🛒 "
            "{% if cart.items == empty %}{% skip_contact %}{% endif %}Your basket is kept for 24 hours: "
            "{{ short_link }}"
        ),
    ),
    ("Flash sale", False, "⚡ 4 hours only: 30% off with code FLASH30 {{ short_link }} Reply STOP to opt out"),
    (
        "Loyalty points",
        False,
        (
            "{% unless contact.points %}{% skip_contact %}{% endunless %}You have "
            "{{ contact.points }} points, {{ contact.first_name }}. They are worth "
            "{{ contact.points | times: 0.01 }} USD until the end of the month: {{ short_link }} Reply STOP to opt out"
        ),
    ),
    ("Clearance", True, "Last sizes, last chance: up to 60% off 🔥 {{ short_link }} Reply STOP to opt out"),
    (
        "Free delivery",
        False,
        (
            "Free delivery on every order today, no minimum. Use SHIPFREE at checkout: "
            "{{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "We miss you",
        False,
        (
            "It's been a while, {{ contact.first_name | default: 'friend' }} 👋 Here is 15% off your "
            "next order, just for you: {{ coupon.code }} {{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "Early access",
        False,
        (
            "You are on the list, {{ contact.first_name | default: 'there' }}: early access opens now, "
            "an hour before everyone else. {{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "Birthday treat",
        True,
        (
            "Happy birthday{% if contact.first_name %}, {{ contact.first_name }}{% endif %} 🎂 "
            "A little something from us: {{ coupon.code }} {{ short_link }}"
        ),
    ),
    (
        "Review request",
        False,
        (
            "How do you like your {{ order.last_item.title }}? Tell us in 30 seconds: "
            "{{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "Store event",
        False,
        (
            "Join us in store on Saturday from 10 to 4: drinks, previews, 10% off. "
            "{{ short_link }} Reply STOP to opt out"
        ),
    ),
    (
        "Gift guide",
        True,
        (
            'Stuck for ideas? 🎁 Gifts under 25, sorted for you, "{{ contact.favourite }}" included: '
            "{{ short_link }} Reply STOP to opt out"
        ),
    ),
]
_AUDIENCES = [
    "all subscribers",
    "VIP",
    "new this month",
    "lapsed 90 days",
    "clicked last 30 days",
    "app users",
    "test A",
    "test B",
    "no order yet",
    "local stores",
]
_EDITORS = ["marketing@shop.example", "crm@shop.example", "lifecycle@shop.example", "agency@partner.example"]

# The relative number of campaigns that start in each hour of the day (UTC).
_STARTS = np.array([0, 0, 0, 0, 0, 0, 0, 1, 3, 8, 12, 10, 7, 6, 8, 10, 11, 9, 6, 3, 1, 0, 0, 0], dtype=float)


@dataclass(frozen=True)
class Calendar:
    """All campaigns of the period. Each array has one entry per campaign, in order of day."""

    clock: Clock
    day: np.ndarray
    starts_at: np.ndarray  # microseconds since 1970
    size: np.ndarray  # rows of the sends log, with re-sends and skipped contacts
    first_message: np.ndarray  # the number of the campaign's first message
    is_mms: np.ndarray
    has_liquid: np.ndarray
    segments: np.ndarray
    click_rate: np.ndarray  # the share of the delivered messages that is clicked
    failure_factor: np.ndarray  # multiplies the usual share of messages that fail
    log: pl.DataFrame  # the rows of the campaigns log, with `logged`: when each was written, in microseconds

    @classmethod
    def generate(cls, clock: Clock, sends: int, days: int, contacts: Contacts, rng: np.random.Generator) -> "Calendar":
        """A calendar whose sizes add up to `sends`: few large campaigns, many small ones, fewer at weekends."""
        weekday = (clock.first_log_date.weekday() + np.arange(days)) % 7
        pace = np.choose(weekday, [1.0, 1.1, 1.0, 1.2, 1.3, 0.7, 0.5]) * 4 * max(1.0, sends / days / 1_500) ** 0.3
        day = np.repeat(np.arange(days), np.maximum(3, rng.poisson(pace)))
        count = len(day)
        hour = rng.choice(24, count, p=_STARTS / _STARTS.sum())
        starts_at = clock.first_moment + day * DAY + hour * HOUR + rng.integers(0, 4, count) * (HOUR // 4)
        size = _sizes(sends, count, int(0.6 * contacts.count), rng)
        theme = rng.integers(0, len(_THEMES), count)
        is_mms = np.array([mms for _, mms, _ in _THEMES])[theme]
        bodies = [body for _, _, body in _THEMES]
        return cls(
            clock=clock,
            day=day,
            starts_at=starts_at,
            size=size,
            first_message=np.cumsum(size) - size,
            is_mms=is_mms,
            has_liquid=np.array(["{%" in body or "contact." in body for body in bodies])[theme],
            segments=np.where(is_mms, 1, np.array([_segments(body) for body in bodies])[theme]),
            click_rate=np.where(is_mms, 1.35, 1.0) * rng.beta(6, 170, count),
            failure_factor=rng.lognormal(0, 0.3, count),
            log=_campaign_log(clock, day, starts_at, theme, contacts.key, rng),
        )

    def audience(self, campaign: int, people: int, messaged_until: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """At most `people` different contacts who may still be messaged on the campaign's day, as an array of their numbers."""
        # The number of contacts is a prime, so that any stride visits each contact once. That is cheaper than a shuffle.
        count = len(messaged_until)
        start, stride = rng.integers(0, count), rng.integers(1, count)
        for candidates in (min(count, int(people * 1.1) + 50), count):
            contacts = (start + stride * np.arange(candidates, dtype=np.int64)) % count
            contacts = contacts[messaged_until[contacts] >= self.day[campaign]][:people]
            if len(contacts) == people:
                break
        return contacts


def campaign_ids(campaigns: np.ndarray, key: int) -> pl.Series:
    """The ids of N campaigns, given their numbers."""
    return ids("cmp_", campaigns, 10, key)


def _sizes(sends: int, count: int, largest: int, rng: np.random.Generator) -> np.ndarray:
    """`count` sizes of at most `largest` that add up to `sends`."""
    weights = rng.lognormal(0, 1.4, count)
    wanted = weights * (sends / weights.sum())
    while (over := wanted > largest * 1.0001).any() and not over.all():
        excess = (wanted[over] - largest).sum()
        wanted[over] = largest
        wanted[wanted < largest] *= 1 + excess / wanted[wanted < largest].sum()
    size: np.ndarray = np.floor(wanted).astype(np.int64)
    largest_fractions_first = np.argsort(size - wanted, kind="stable")
    size[largest_fractions_first[: sends - size.sum()]] += 1
    return size


def _segments(body: str) -> int:
    """The approximate number of parts of a message, once the markup is filled in."""
    text = re.sub(r"\{\{.*?\}\}", "x" * 12, re.sub(r"\{%.*?%\}", "", body))
    single, part = (160, 153) if text.isascii() else (70, 67)
    return 1 if len(text) <= single else -(-len(text) // part)


def _campaign_log(
    clock: Clock, day: np.ndarray, starts_at: np.ndarray, theme: np.ndarray, key: int, rng: np.random.Generator
) -> pl.DataFrame:
    """One row per edit of a campaign, given the day, start and theme of each."""
    campaign_id = campaign_ids(np.arange(len(day)), key).to_list()
    rows = []
    for campaign, start in enumerate(starts_at.tolist()):
        label, is_mms, body = _THEMES[theme[campaign]]
        day_sent = clock.date_of(int(day[campaign]))
        name = f"{label}, {rng.choice(_AUDIENCES)}, {day_sent.day} {day_sent:%b}"
        slug = label.lower().replace(" ", "-")
        row = {
            "campaign_id": campaign_id[campaign],
            "campaign_name": name,
            "campaign_type": "MMS" if is_mms else "SMS",
            "body": body,
            "media_url": f"https://media.shop.example/mms/{slug}-{day_sent:%m%d}.jpg" if is_mms else None,
            "sender": str(rng.choice(["SHOP", "SHOP", "SHOPVIP", "SHOPCARE"])),
            "max_segments": [None, 3, 4, 6][rng.integers(0, 4)],
        }
        edits: list[tuple[int, dict[str, str]]] = [(start - int(rng.integers(2 * HOUR, 60 * HOUR)), {})]
        if rng.random() < 0.3:  # first saved under a draft's name, and renamed before it is sent
            edits[0][1]["campaign_name"] = f"DRAFT {label}"
            edits.append((start - int(rng.integers(HOUR // 6, 2 * HOUR)), {}))
        if rng.random() < 0.12:  # renamed after it was sent
            edits.append((start + int(rng.integers(12 * HOUR, 96 * HOUR)), {"campaign_name": f"{name} (archived)"}))
        for at, change in edits:
            modified = {"modified_by": str(rng.choice(_EDITORS)), "modified_at": at // SECOND * SECOND}
            # Edits from before the first day arrive with the first files.
            rows.append(row | change | modified | {"logged": max(at, clock.first_moment)})
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("max_segments").cast(pl.Int32), pl.col("media_url").cast(pl.String), pl.col("modified_at").cast(moment)
    )
