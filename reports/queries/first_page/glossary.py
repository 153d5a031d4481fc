"""The words of the pages and their meanings, as the contracts of the marts and the figures of the overview have them.

Not here: the HTML (`templates/glossary.html`).
"""

import re
from typing import NamedTuple

from models.enums import DeliveryStatus
from models.marts import columns
from reports.queries.first_page.figures import BASES, FIGURES
from reports.queries.first_page.table_columns import COLUMNS, RATES
from reports.words import BOT_RULES, DELIVERY_STATUSES

_LABELS = {name: column.label for name, column in COLUMNS.items()} | {
    "human_unique_clickers": "Unique clickers without bots",
    "unique_sends": "Contacts it was sent to",
    "messages_costed": "Messages with a cost",
    "conversion_base": "The denominator of the settings",
    "SENDMART_CONVERSION_RATE_DENOMINATOR": "delivered or sent message if it is set up so",
}
_NAMES = re.compile(r"\b(" + "|".join(sorted(_LABELS, key=len, reverse=True)) + r")\b")

_STATUS_COLUMNS = {
    DeliveryStatus.DELIVERED: "unique_deliveries",
    DeliveryStatus.PENDING: "pending",
    DeliveryStatus.SOFT_BOUNCE: "soft_bounces",
    DeliveryStatus.HARD_BOUNCE: "hard_bounces",
    DeliveryStatus.DELETED: "deleted",
}


class Word(NamedTuple):
    """A word with its meaning. `anchor` is its place on the page."""

    anchor: str
    word: str
    meaning: str


class Section(NamedTuple):
    title: str
    words: list[Word]


def in_words(description: str) -> str:
    """A description of a column, with the labels of the columns that it names."""
    text = _NAMES.sub(lambda match: _LABELS[match[1]], description)
    text = text.replace(" / ", " ÷ ").replace("1000 * ", "1,000 times ")
    text = re.sub(r"\bnull\b", "empty", text).replace(
        "the campaigns log does not know it", "no list of campaigns has it"
    )
    return text[:1].upper() + text[1:]


MEANINGS = {name: in_words(column.description) for name, column in COLUMNS.items()}
"""The meaning of each column of the table."""


def _figures(base: str) -> list[Word]:
    return [
        Word(
            f"figure-{figure.name}",
            figure.label,
            f"{figure.meaning}{BASES[base]}." if figure.name == "conversion_rate" else figure.meaning,
        )
        for figure in FIGURES.values()
    ]


def sections(base: str) -> list[Section]:
    """All words. `base` is the denominator of the conversion rate."""
    overview = {column.name: column.description for column in columns("campaign_overview")}
    columns_of_table = [Word(f"column-{name}", _LABELS[name], MEANINGS[name]) for name in COLUMNS]
    statuses = [
        Word(f"status-{status}", DELIVERY_STATUSES[status], overview[column])
        for status, column in _STATUS_COLUMNS.items()
    ]
    return [
        Section("Figures of the overview", _figures(base)),
        Section("Columns of the campaign table", columns_of_table),
        Section("Delivery statuses", statuses),
        Section("Bots", [Word(f"bot-{rule}", text, _BOTS[rule]) for rule, text in BOT_RULES.items()]),
        Section("How figures are made", _RULES),
    ]


_BOTS = {
    "user_agent": "The program that opened the link names itself, as link previews and virus scanners do.",
    "too_fast": "The click came within seconds of the message, before a person could read it.",
    "sweep": "The same contact opened different links of the message within one second, as scanners do.",
}

_RULES = [
    Word(
        "direct",
        "Direct and assisted orders",
        "An order is direct for the campaign that the contact clicked last before it, within the conversion window, and"
        " assisted for other campaigns clicked within the window. The revenue of a campaign is that of its direct orders.",
    ),
    Word(
        "unsubscribe",
        "Unsubscribes",
        "An unsubscribe counts for the campaign whose message was the last one sent to the contact before it.",
    ),
    Word(
        "not-in-revenue",
        "Orders that are not in revenue",
        "An order in another currency is converted with an exchange rate. Where there is none on or before its day, the order"
        " counts as an order but not in revenue. Ask for the rate of this currency to be delivered: the next refresh converts"
        " the order.",
    ),
    Word(
        "not-in-cost",
        "Messages that are not in the cost",
        "A message without a cost in the sends log, or with a cost in a currency without an exchange rate, is in no sum of"
        " costs. Cost is then too low, and ROI too high.",
    ),
    Word(
        "ranking",
        "Rankings by a rate",
        "A campaign of few messages leads or trails by chance: one click of four is 25 %. Rankings leave out campaigns with"
        " fewer delivered messages than the page says; for the conversion rate, also those with fewer than a fifth as many"
        f" contacts who clicked. Rates: {', '.join(_LABELS[name] for name in RATES)}.",
    ),
    Word(
        "clock",
        "The day it happened, or the day of its message",
        "Counted on the day it happened, an order of today counts today, whenever its message was sent: this is what the day"
        " brought in. Counted on the day of its message, it counts on the day when the message was sent: this is what came"
        " of the messages of that day, and recent days still grow.",
    ),
    Word(
        "change",
        "Changes",
        "A rate changes in percentage points: from 2 % to 3 % is 1.0 point. All other figures change in per cent of what they"
        " were. Periods are whole days, up to the last day of which all data have come.",
    ),
]
