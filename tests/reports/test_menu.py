"""The menu in the head of every page."""

import re

import pytest

from reports.links import ENTRIES, Entry
from tests.reports.conftest import Site


def current(page: str) -> list[str]:
    menu = re.search(r'<nav aria-label="Pages">.*?</nav>', page, flags=re.DOTALL)[0]
    return re.findall(r'<a href="([^"]+)" aria-current="page"', menu)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.path)
def test_each_entry_of_the_menu_opens_a_page_that_it_marks(sample: Site, entry: Entry) -> None:
    answer = sample.get(entry.path)
    assert answer.status_code == 200
    assert current(answer.text) == [entry.path]


def test_a_campaign_belongs_to_the_reports(sample: Site) -> None:
    campaign = re.search(r'href="(/campaigns/[^"]+)"', sample.get("/").text)[1]
    assert current(sample.get(campaign).text) == ["/"]
