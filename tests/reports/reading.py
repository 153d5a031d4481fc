"""Reads tables, tiles and files of the report pages, as a person sees them."""

import csv
import io
from collections.abc import Iterator

from lxml import html

from tests.reports.conftest import Site


def words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def open_page(site: Site, link: str) -> html.HtmlElement:
    answer = site.get(link)
    assert answer.status_code == 200, link
    return html.fromstring(answer.text)


def table(page: html.HtmlElement, caption: str) -> list[dict[str, str]]:
    """The rows of the table with a caption, or with one that begins so, by heading. A cell that is hidden is not read."""
    tables = {words(table.find("caption")): table for table in page.iter("table")}
    name = caption if caption in tables else next(name for name in tables if name.startswith(caption))
    found = tables[name]
    for hidden in found.xpath(".//*[contains(@class, 'under') or @aria-hidden]"):
        hidden.drop_tree()
    headings = [words(cell) for cell in found.xpath("./thead/tr/*")]
    return [
        dict(zip(headings, [words(cell) for cell in row.xpath("./*")], strict=True))
        for row in found.xpath("./tbody/tr")
    ]


def all_rows(site: Site, link: str, caption: str) -> list[dict[str, str]]:
    """The rows of a table on all its pages."""
    return [row for page in _pages(site, link) for row in table(page, caption)]


def _pages(site: Site, link: str) -> Iterator[html.HtmlElement]:
    next_link: str | None = link
    while next_link:
        page = open_page(site, next_link)
        links = page.xpath("//nav[@class='pages']/a[@rel='next']/@href")
        yield page
        next_link = links[0] if links else None


def tiles(page: html.HtmlElement) -> dict[str, str]:
    """By its label, the value of each tile, without a unit beside it."""
    for unit in page.xpath("//dl[@class='tiles']//span"):
        unit.drop_tree()
    return {words(tile.find("dt")): words(tile.find("dd")) for tile in page.xpath("//dl[@class='tiles']/div")}


def csv_rows(site: Site, link: str) -> list[dict[str, str]]:
    answer = site.get(link)
    assert answer.status_code == 200, link
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))))
