"""The words of the reports: every exported mart has a title, and every column of a mart has a label of its own."""

import pytest

from models.labels import _LABELS, _LABELS_OF_MARTS, TITLES
from models.marts import MARTS, NUMBER_HASH, columns, published_columns
from warehouse.export import ON_REQUEST


def test_every_mart_that_can_be_exported_has_a_title() -> None:
    assert set(TITLES) == set(ON_REQUEST)
    assert len(set(TITLES.values())) == len(TITLES)


@pytest.mark.parametrize("mart", MARTS)
def test_the_labels_of_a_mart_differ_and_can_be_headings_of_a_csv(mart: str) -> None:
    labels = [column.label for column in published_columns(mart, is_masked=True)]
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if set(label) & set('",()\n') or label != label.strip()]


def test_no_label_is_left_over() -> None:
    assert set(_LABELS) == {column.name for mart in MARTS for column in columns(mart)} | {NUMBER_HASH}
    for mart, labels in _LABELS_OF_MARTS.items():
        assert labels.keys() <= {column.name for column in columns(mart)}
