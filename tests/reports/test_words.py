"""The words of the pages for codes."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from models.enums import AttributionModel, BotRule, DeliveryStatus, FailureReason, SkipReason, UnconvertedReason
from reports import words


@pytest.mark.parametrize(
    ("codes", "texts"),
    [
        (FailureReason, words.FAILURE_REASONS),
        (SkipReason, words.SKIP_REASONS),
        (BotRule, words.BOT_RULES),
        (AttributionModel, words.ATTRIBUTION_MODELS),
        (DeliveryStatus, words.DELIVERY_STATUSES),
        (UnconvertedReason, words.UNCONVERTED_REASONS),
    ],
)
def test_every_code_has_words_of_its_own(codes: type[StrEnum], texts: Mapping[StrEnum, str]) -> None:
    assert set(texts) == set(codes)
    assert len(set(texts.values())) == len(texts)
