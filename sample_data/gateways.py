"""What the sample's gateways answer: their shares of the traffic and the receipts they write, each in its own words.

Only what the sample writes, not what the statuses mean: that is the provider vocabularies' business.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

#: The fates of a message. PENDING: no final receipt comes. ODD: the status is in no vocabulary. FILTERED: a carrier takes the
#: content for spam. SILENT: no receipt comes.
DELIVERED, HARD, SOFT, DELETED, PENDING, ODD, FILTERED, SILENT = range(8)

_Reports = list[tuple[str, str | None]]  # status and error code; a pair that occurs twice is twice as likely


@dataclass(frozen=True)
class _Gateway:
    provider: str | None
    share: float
    pending: _Reports
    delivered: _Reports
    hard: _Reports
    soft: _Reports
    odd: _Reports
    deleted: _Reports | None = None  # None: the gateway reports a failure instead
    filtered: _Reports | None = None  # None: likewise


_SMPP: dict[str, _Reports] = {
    "pending": [("ENROUTE", None), ("ACCEPTD", None), ("ACCEPTD", None)],
    "delivered": [("DELIVRD", "000")],
    "hard": [("UNDELIV", "001"), ("UNDELIV", "034"), ("UNDELIV", "069"), ("REJECTD", "008")],
    "soft": [("EXPIRED", "003")],
    "deleted": [("DELETED", "005")],
    "odd": [("NEGATIVE", "099")],
}

_GATEWAYS = [
    _Gateway(
        "twilio",
        0.34,
        pending=[("queued", None), ("sent", None), ("sent", None), ("sent", None)],
        delivered=[("delivered", None)],
        hard=[
            ("undelivered", "30005"),
            ("undelivered", "30005"),
            ("undelivered", "30006"),
            ("undelivered", "30007"),
            ("undelivered", "30008"),
            ("undelivered", "30999"),  # a code that no document explains
            ("failed", "30004"),
        ],
        soft=[("undelivered", "30003")],
        odd=[("canceled", None)],
        filtered=[("undelivered", "30007")],
    ),
    _Gateway("smpp", 0.13, **_SMPP),
    _Gateway(
        "vonage",
        0.12,
        pending=[("submitted", "0"), ("submitted", "0"), ("accepted", "0"), ("buffered", "0")],
        delivered=[("delivered", "0")],
        hard=[("failed", "3"), ("failed", "9"), ("rejected", "6"), ("undeliverable", "5")],
        soft=[("expired", "1"), ("failed", "2"), ("undeliverable", "7")],
        deleted=[("deleted", "1")],
        odd=[("suspended", "1")],
    ),
    _Gateway(
        "infobip",
        0.10,
        pending=[("PENDING_ENROUTE", None), ("PENDING_ACCEPTED", None), ("DELIVERED_TO_OPERATOR", None)],
        delivered=[("DELIVERED_TO_HANDSET", None)],
        hard=[("UNDELIVERABLE_NOT_DELIVERED", "1"), ("UNDELIVERABLE_REJECTED_OPERATOR", "4"), ("REJECTED_DND", "12")],
        soft=[("EXPIRED_EXPIRED", "27"), ("EXPIRED_DLR_UNKNOWN", "27")],
        odd=[("REJECTED_BY_FIREWALL", "51")],
    ),
    _Gateway(
        "sinch",
        0.09,
        pending=[("Queued", "400"), ("Dispatched", "401"), ("Dispatched", "401")],
        delivered=[("Delivered", "0")],
        hard=[("Failed", "402"), ("Rejected", "403"), ("Aborted", "407")],
        soft=[("Expired", "410"), ("Aborted", "406")],
        deleted=[("Deleted", "413")],
        odd=[("Cancelled", "411")],
    ),
    _Gateway(
        "plivo",
        0.08,
        pending=[("queued", None), ("sent", "000"), ("sent", "000")],
        delivered=[("delivered", "000")],
        hard=[("undelivered", "50"), ("undelivered", "40"), ("failed", "110"), ("rejected", "30")],
        soft=[("undelivered", "80"), ("failed", "420")],
        odd=[("abandoned", "900")],
    ),
    _Gateway(
        "aws",
        0.07,
        pending=[("TEXT_QUEUED", None), ("TEXT_PENDING", None), ("TEXT_SENT", None)],
        delivered=[("TEXT_DELIVERED", None), ("TEXT_DELIVERED", None), ("TEXT_SUCCESSFUL", None)],
        hard=[("TEXT_INVALID", None), ("TEXT_BLOCKED", None), ("TEXT_CARRIER_BLOCKED", None), ("TEXT_SPAM", None)],
        soft=[("TEXT_UNREACHABLE", None), ("TEXT_TTL_EXPIRED", None), ("TEXT_CARRIER_UNREACHABLE", None)],
        odd=[("TEXT_ON_HOLD", None)],
    ),
    _Gateway(
        "messagebird",
        0.05,
        pending=[("sent", None), ("sent", None), ("buffered", None)],
        delivered=[("delivered", None)],
        hard=[("delivery_failed", "5"), ("delivery_failed", "8"), ("delivery_failed", "103")],
        soft=[("expired", "4"), ("expired", "27")],
        odd=[("on_hold", "110")],
    ),
    # A link from before the log had a provider column.
    _Gateway(None, 0.02, **_SMPP),
]

_SHARE_ENDS = np.cumsum([gateway.share for gateway in _GATEWAYS])

# All possible receipts; for each gateway and fate, the first of its receipts in that list and their number.
_rows: list[tuple[str | None, str, str | None]] = []
_first = np.zeros((len(_GATEWAYS), SILENT), dtype=np.int64)
_length = np.zeros((len(_GATEWAYS), SILENT), dtype=np.int64)
for _number, _gateway in enumerate(_GATEWAYS):
    _deleted = _gateway.deleted or _gateway.hard
    for _fate, _reports in (
        (DELIVERED, _gateway.delivered),
        (HARD, _gateway.hard),
        (SOFT, _gateway.soft),
        (DELETED, _deleted),
        (PENDING, _gateway.pending),
        (ODD, _gateway.odd),
        (FILTERED, _gateway.filtered or _gateway.hard),
    ):
        _first[_number, _fate], _length[_number, _fate] = len(_rows), len(_reports)
        _rows.extend((_gateway.provider, *report) for report in _reports)

#: The receipts by code: provider, provider_status, error_code.
RECEIPTS = pl.DataFrame(
    _rows, schema=["provider", "provider_status", "error_code"], orient="row", infer_schema_length=None
)

#: The name of each gateway in the sends log.
PROVIDERS = pl.Series([gateway.provider or "smpp" for gateway in _GATEWAYS])

#: The gateway that has a bad day, and the one whose clock is behind.
FAILING, BEHIND = 0, 5

#: Whether the gateway says what a message cost.
STATES_COST = np.array([gateway.provider is not None for gateway in _GATEWAYS])


def gateway_of(trait: np.ndarray) -> np.ndarray:
    """For N traits in [0, 1), the numbers of the gateways of these contacts: a contact keeps its gateway."""
    return np.minimum(np.searchsorted(_SHARE_ENDS, trait, side="right"), len(_GATEWAYS) - 1)


def receipt_codes(gateway: np.ndarray, fate: np.ndarray | int, rng: np.random.Generator) -> np.ndarray:
    """For N messages, N row numbers of RECEIPTS: a receipt by which the gateway of each reports its fate."""
    codes: np.ndarray = (_first[gateway, fate] + rng.random(len(gateway)) * _length[gateway, fate]).astype(np.uint16)
    return codes
