"""The events of each day of the sample: messages, receipts, clicks, orders and unsubscribes.

Events are numbers (message 17, contact 4, microseconds) in polars frames. After a day, only the events that its later logs
will report are kept.

Not here: events as rows of the logs (`rows`), files (`files`).
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from sample_data.agents import BROWSERS, PROGRAMS
from sample_data.campaigns import Calendar
from sample_data.contacts import Contacts
from sample_data.gateways import (
    BEHIND,
    DELETED,
    DELIVERED,
    FAILING,
    FILTERED,
    HARD,
    ODD,
    PENDING,
    SILENT,
    SOFT,
    gateway_of,
    receipt_codes,
)
from sample_data.ids import DAY, HOUR, MINUTE, SECOND, Clock

MILLISECOND = SECOND // 1_000

#: Kinds of trait of a contact (see Contacts.trait).
ROUTE, LINE, INTEREST, PURSE = range(4)

#: Numbers from here on stand for messages, campaigns and contacts of other accounts.
FOREIGN = 1 << 40

#: The currencies of orders by number; the last one has no exchange rate.
CURRENCIES = ("USD", "CAD", "GBP", "EUR", "SEK", "CHF")

NOT_SKIPPED = -1
NO_CONTENT, TOLD_TO_SKIP, MARKUP_TOO_SLOW, TOO_LONG = range(4)

# The shares of fates of messages to working numbers, other than delivered. Dead numbers come on top.
_FATES = {HARD: 0.0125, SOFT: 0.011, DELETED: 0.0012, PENDING: 0.006, SILENT: 0.004, ODD: 0.0012}


@dataclass
class Outbox:
    """Events that wait for the day on which they are logged."""

    clock: Clock
    days: int
    _waiting: dict[tuple[str, int], list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    _no_events: dict[str, pl.DataFrame] = field(default_factory=dict)

    def put(self, log: str, logged: np.ndarray, **columns: np.ndarray) -> None:
        """Adds N events that are logged at `logged` (microseconds); each column has N values."""
        self.put_frame(log, pl.DataFrame({"logged": logged} | columns))

    def put_frame(self, log: str, events: pl.DataFrame) -> None:
        """Adds the events of a frame with a column `logged`. Events after the last day are dropped."""
        self._no_events.setdefault(log, events.clear())
        day = (events["logged"].to_numpy() - self.clock.first_moment) // DAY
        for due in np.unique(day[day < self.days]).tolist():
            self._waiting[log, due].append(events.filter(day == due))

    def take(self, log: str, day: int) -> pl.DataFrame:
        """Removes the events of a day, and returns them in the order in which they were logged."""
        frames = self._waiting.pop((log, day), [self._no_events[log]])
        return pl.concat(frames).sort("logged", maintain_order=True)


class Traffic:
    """Simulates one day after another; what a day adds to the logs is put into the outbox."""

    def __init__(self, calendar: Calendar, contacts: Contacts, days: int, seed: int) -> None:
        self.calendar, self.contacts, self.days, self.seed = calendar, contacts, days, seed
        self.clock, self.outbox = calendar.clock, Outbox(calendar.clock, days)
        self._clicks = self._orders = 0  # the number of clicks and orders so far
        # On this day, many messages of one gateway fail. Nearly all its receipts arrive before the end of the sample.
        self._bad_day = days - 4 if days >= 10 else None
        # By contact: the last day on which it is messaged, and its hard bounces so far.
        self._messaged_until = np.full(contacts.count, days, dtype=np.int32)
        self._bounces = np.zeros(contacts.count, dtype=np.uint8)

    def simulate_day(self, day: int) -> None:
        """Simulates a day, and puts its events into the outbox: those of this day's logs and of later ones."""
        rng = np.random.default_rng([self.seed, day])
        sent = self._send(day, rng)
        fate = self._fates(day, sent, rng)
        final_at = self._receipts(day, sent, fate, rng)
        delivered = np.flatnonzero(fate == DELIVERED)
        self._unsubscribe(day, sent, delivered, final_at, rng)
        self._click_and_buy(day, sent, delivered, final_at, rng)
        self._fetch_links(sent, delivered, rng)

    def _send(self, day: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Adds the day's sends. Returns the N that were not skipped, as arrays: message, campaign, contact, at."""
        parts = [self._send_campaign(int(campaign), rng) for campaign in np.flatnonzero(self.calendar.day == day)]
        message, campaign, contact, at = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        count = len(message)
        liquid = self.calendar.has_liquid[campaign]
        # One random number decides between the four reasons: each has its own part of [0, 1).
        draw = rng.random(count)
        skip = np.full(count, NOT_SKIPPED, dtype=np.int8)
        skip[draw < 0.0050] = TOO_LONG
        skip[draw < 0.0025] = NO_CONTENT
        skip[liquid & (draw >= 0.0050) & (draw < 0.0170)] = TOLD_TO_SKIP
        skip[liquid & (draw >= 0.0170) & (draw < 0.0200)] = MARKUP_TOO_SLOW
        longer = liquid & ~self.calendar.is_mms[campaign] & (rng.random(count) < 0.06)  # such as for a long first name
        segments = (self.calendar.segments[campaign] + longer).astype(np.int16)
        self.outbox.put(
            "sends", at, message=message, campaign=campaign, contact=contact, at=at, segments=segments, skip=skip
        )
        is_sent = skip == NOT_SKIPPED
        columns = {"message": message, "campaign": campaign, "contact": contact, "at": at}
        return {name: values[is_sent] for name, values in columns.items()}

    def _send_campaign(self, campaign: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """The sends of a campaign as four arrays of one length: message, campaign, contact, time."""
        calendar = self.calendar
        size, start = int(calendar.size[campaign]), int(calendar.starts_at[campaign])
        resends = int(rng.binomial(size // 2, 0.012))
        contact = calendar.audience(campaign, size - resends, self._messaged_until, rng)
        spread = (
            min(max(size / 80, 60), 2 * 3_600) * SECOND
        )  # 80 a second; faster if a campaign would last beyond midnight
        at = (
            start
            + (np.arange(len(contact)) * (spread / max(size, 1))).astype(np.int64)
            + rng.integers(0, SECOND, len(contact))
        )
        resent = rng.permutation(len(contact))[:resends] if resends else np.empty(0, dtype=np.int64)
        contact = np.concatenate([contact, contact[resent]])
        at = np.concatenate([at, at[resent] + rng.integers(5 * MINUTE, 50 * MINUTE, len(resent))])
        message = calendar.first_message[campaign] + np.arange(len(contact))
        return message, np.full(len(contact), campaign), contact, at // MILLISECOND * MILLISECOND

    def _fates(self, day: int, sent: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """The fates of the N messages sent."""
        count = len(sent["message"])
        draw = rng.random(count) / self.calendar.failure_factor[sent["campaign"]]
        fate = np.full(count, DELIVERED, dtype=np.int8)
        for kind, share_end in reversed(list(zip(_FATES, np.cumsum(list(_FATES.values())), strict=True))):
            fate[draw < share_end] = kind
        # Numbers stop working one after another; the shop stops messaging a contact after four hard bounces.
        dead = self.contacts.trait(sent["contact"], LINE) * 2_000 - 14 <= day
        fate[dead] = np.where(rng.random(np.count_nonzero(dead)) < 0.94, HARD, SOFT)
        if day == self._bad_day:
            is_failing = gateway_of(self.contacts.trait(sent["contact"], ROUTE)) == FAILING
            fate[is_failing & (fate == DELIVERED) & (rng.random(count) < 0.3)] = FILTERED
        bounced = sent["contact"][fate == HARD]
        np.add.at(self._bounces, bounced, 1)
        self._stop(bounced[self._bounces[bounced] >= 4], day)
        return fate

    def _receipts(
        self, day: int, sent: dict[str, np.ndarray], fate: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Adds the receipts of the day's N messages; returns the N times of their final status, in microseconds."""
        count = len(fate)
        gateway = gateway_of(self.contacts.trait(sent["contact"], ROUTE))
        reported = np.flatnonzero((fate == PENDING) | (fate != SILENT) & (rng.random(count) < 0.92))
        occurred = sent["at"][reported] + (rng.exponential(1.2 * SECOND, len(reported))).astype(np.int64)
        codes = receipt_codes(gateway[reported], PENDING, rng)
        self._receive(sent["message"][reported], codes, occurred, occurred + _within(SECOND, len(reported), rng), rng)

        duration = rng.lognormal(np.log(7), 1.2, count) * SECOND
        phone_off = (fate == DELIVERED) & (rng.random(count) < 0.02)
        duration[phone_off] += rng.exponential(3 * HOUR, np.count_nonzero(phone_off))
        expired, gone = fate == SOFT, fate == DELETED
        duration[expired] += rng.choice([24, 48, 72], np.count_nonzero(expired), p=[0.3, 0.4, 0.3]) * HOUR
        duration[gone] += rng.uniform(1, 10, np.count_nonzero(gone)) * HOUR
        final_at = sent["at"] + np.minimum(duration, 3 * DAY).astype(np.int64)
        final = np.flatnonzero((fate != PENDING) & (fate != SILENT))
        received = final_at[final] + _within(2 * SECOND, len(final), rng)
        late = rng.random(len(final)) < 0.02
        received[late] += rng.integers(DAY, 3 * DAY, np.count_nonzero(late))
        codes = receipt_codes(gateway[final], fate[final], rng)
        occurred = final_at[final]
        is_behind = (gateway[final] == BEHIND) & (rng.random(len(final)) < 0.05)
        occurred[is_behind] = np.minimum(occurred[is_behind], sent["at"][final][is_behind] - SECOND)
        self._receive(sent["message"][final], codes, occurred, received, rng)

        # Receipts for messages of another account that shares the link.
        stray = int(rng.poisson(0.3 + count * 0.0001))
        at = self.clock.midnight_of(day) + rng.integers(0, DAY, stray)
        codes = receipt_codes(gateway_of(rng.random(stray)), DELIVERED, rng)
        self._receive(FOREIGN + day * DAY + np.arange(stray), codes, at, at + SECOND, rng)
        return final_at

    def _receive(
        self,
        message: np.ndarray,
        code: np.ndarray,
        occurred: np.ndarray,
        received: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Adds N receipts, and the repetitions of a few of them."""
        occurred, received = (moments // MILLISECOND * MILLISECOND for moments in (occurred, received))
        self.outbox.put("receipts", received, message=message, code=code, occurred=occurred, received=received)
        draw = rng.random(len(message))
        # Gateways repeat receipts: soon after, mostly in the same file, or on the next day.
        for chosen, delay in ((draw < 0.004, MINUTE), ((draw >= 0.004) & (draw < 0.006), DAY)):
            again = received[chosen] + delay
            self.outbox.put(
                "receipts",
                again,
                message=message[chosen],
                code=code[chosen],
                occurred=occurred[chosen],
                received=received[chosen],
            )

    def _unsubscribe(
        self,
        day: int,
        sent: dict[str, np.ndarray],
        delivered: np.ndarray,
        final_at: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Adds the unsubscribes that follow from the day's delivered messages, and a few from strangers."""
        leaving = delivered[rng.random(len(delivered)) < 0.0024]
        contact = sent["contact"][leaving]
        delay = np.minimum(rng.lognormal(np.log(12), 1.9, len(leaving)) * MINUTE, 12 * DAY).astype(np.int64)
        at = final_at[leaving] + delay
        # Some opt-outs reach the platform only after the next message was sent.
        delayed = rng.choice([0, 3], len(leaving), p=[0.85, 0.15])
        self._stop(contact, (at - self.clock.first_moment) // DAY + delayed)
        # A few people write in who were never messaged.
        strangers = int(rng.poisson(0.25))
        contact = np.concatenate([contact, FOREIGN + day * 1_000 + np.arange(strangers)])
        at = np.concatenate([at, self.clock.midnight_of(day) + rng.integers(8 * HOUR, 20 * HOUR, strangers)])
        at = at // SECOND * SECOND
        source = np.searchsorted([0.80, 0.95, 1.0], rng.random(len(contact)), side="right")
        source[len(leaving) :] = 2  # entered by hand
        self.outbox.put("unsubscribes", at, contact=contact, at=at, source=source.astype(np.int8))

    def _stop(self, contacts: np.ndarray, day: np.ndarray | int) -> None:
        """The contacts get no messages after the given day."""
        np.minimum.at(self._messaged_until, contacts, np.asarray(day, dtype=np.int32))

    def _click_and_buy(
        self,
        day: int,
        sent: dict[str, np.ndarray],
        delivered: np.ndarray,
        final_at: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Adds the clicks on the day's delivered messages, and the orders after them."""
        # A quarter of the contacts clicks far more than the others, so that some contacts click on several campaigns.
        keen = np.where(self.contacts.trait(sent["contact"][delivered], INTEREST) < 0.25, 3.1, 0.3)
        clicking = delivered[rng.random(len(delivered)) < self.calendar.click_rate[sent["campaign"][delivered]] * keen]
        times = rng.geometric(0.78, len(clicking))
        clicked = np.repeat(clicking, times)
        delay = np.minimum(rng.lognormal(np.log(9), 1.9, len(clicked)) * MINUTE, 8 * DAY).astype(np.int64)
        at = (final_at[clicked] + delay) // SECOND * SECOND
        message = sent["message"][clicked].copy()
        message[rng.random(len(message)) < 0.02] = -1  # a copied link: the message is not known
        campaign = sent["campaign"][clicked].astype(np.int64)
        campaign[rng.random(len(campaign)) < 0.0015] += FOREIGN  # a test campaign that is in no log
        page = (rng.random(len(clicked)) < 0.15).astype(np.uint8)
        agent = rng.choice(BROWSERS, len(clicked)).astype(np.uint32)
        self._click(message, campaign, sent["contact"][clicked], at, page, agent, rng)

        first_click = np.cumsum(times) - times
        buying = np.flatnonzero(rng.random(len(clicking)) < 0.075)
        delay = np.minimum(rng.lognormal(np.log(40), 1.8, len(buying)) * MINUTE, 9 * DAY).astype(np.int64)
        # Most orders of a shop do not follow from a message.
        unprompted = int(rng.poisson(0.6 + len(sent["message"]) * 0.004))
        contact = np.concatenate([sent["contact"][clicking[buying]], rng.integers(0, self.contacts.count, unprompted)])
        ordered = np.concatenate(
            [
                at[first_click[buying]] + delay,
                self.clock.midnight_of(day) + rng.integers(6 * HOUR, 24 * HOUR, unprompted),
            ]
        )
        self._order(contact, ordered // SECOND * SECOND, rng)

    def _fetch_links(self, sent: dict[str, np.ndarray], delivered: np.ndarray, rng: np.random.Generator) -> None:
        """Adds the clicks of programs: previews of a link by messengers, scanners that open every link of a message, and
        programs that say that they are a browser and open a link at once.
        """
        draw = rng.random(len(delivered))
        previewed, scanned = delivered[draw < 0.006], delivered[(draw >= 0.006) & (draw < 0.009)]
        at_once = delivered[(draw >= 0.009) & (draw < 0.011)]
        fetched = np.concatenate([previewed, np.repeat(scanned, 2), at_once])
        delay = np.concatenate(
            [
                _within(90 * SECOND, len(previewed), rng),
                np.full(2 * len(scanned), 4 * SECOND),
                np.full(len(at_once), SECOND),
            ]
        )
        page = np.concatenate([np.zeros(len(previewed)), np.tile([0, 1], len(scanned)), np.zeros(len(at_once))])
        agent = np.where(
            np.arange(len(fetched)) < len(previewed),
            rng.choice(PROGRAMS, len(fetched)),
            rng.choice(BROWSERS, len(fetched)),
        ).astype(np.uint32)
        at = (sent["at"][fetched] + delay) // SECOND * SECOND
        campaign = sent["campaign"][fetched].astype(np.int64)
        self._click(sent["message"][fetched], campaign, sent["contact"][fetched], at, page.astype(np.uint8), agent, rng)

    def _click(
        self,
        message: np.ndarray,
        campaign: np.ndarray,
        contact: np.ndarray,
        at: np.ndarray,
        page: np.ndarray,
        agent: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Adds N clicks, and the repetitions of a few of them."""
        click = self._clicks + np.arange(len(at))
        self._clicks += len(at)
        columns = {
            "click": click,
            "campaign": campaign,
            "contact": contact,
            "message": message,
            "at": at,
            "page": page,
            "agent": agent,
        }
        self.outbox.put("clicks", at, **columns)
        again = rng.random(len(at)) < 0.002
        self.outbox.put("clicks", at[again] + MINUTE, **{name: values[again] for name, values in columns.items()})

    def _order(self, contact: np.ndarray, ordered: np.ndarray, rng: np.random.Generator) -> None:
        """Adds N orders, given the contact and the time of each, and their later states."""
        count = len(contact)
        order = self._orders + np.arange(count)
        self._orders += count
        cents = (np.clip(rng.lognormal(np.log(58), 0.6, count), 9, 1_500)).astype(np.int64) * 100
        cents += rng.choice([0, 50, 90, 95, 99], count)
        country = self.contacts.countries(contact)
        currency = np.array([0, 2, 3, 3, 3, 4, 0, 0])[country]
        purse = self.contacts.trait(contact, PURSE)
        currency[(currency == 0) & (purse < 0.12)] = 1
        currency[purse > 0.945] = len(CURRENCIES) - 1
        first_state = {
            "order": order,
            "contact": contact,
            "ordered": ordered,
            "cents": cents,
            "refunded": np.zeros(count, dtype=np.int64),
            "currency": currency.astype(np.int8),
            "cancelled": np.zeros(count, dtype=bool),
            "updated": ordered,
        }
        self.outbox.put("orders", ordered, **first_state)

        # A later state is a new row with all columns.
        draw = rng.random(count)
        cancelled, refunded, touched = draw < 0.05, (draw >= 0.05) & (draw < 0.13), (draw >= 0.13) & (draw < 0.18)
        share = np.where(rng.random(count) < 0.5, 1.0, rng.choice([0.25, 0.5], count))
        updated = (
            ordered
            + np.where(cancelled, rng.integers(HOUR // 4, 2 * DAY, count), rng.integers(DAY // 4, 8 * DAY, count))
            // SECOND
            * SECOND
        )
        changed = cancelled | refunded | touched
        later_state = first_state | {
            "refunded": np.where(refunded, (cents * share).astype(np.int64), 0),
            "cancelled": cancelled,
            "updated": updated,
        }
        self.outbox.put("orders", updated[changed], **{name: values[changed] for name, values in later_state.items()})


def _within(longest: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` durations of less than `longest` microseconds."""
    return rng.integers(0, longest, count)
