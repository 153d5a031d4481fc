"""A real browser opens every page: no errors, no requests to other hosts, no accessibility violations.

`.ci/install-browser` installs Chromium and its driver from Debian. Without them, these tests are skipped.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag, urlencode

import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from orchestration.stages import AppContext
from reports.links import ENTRIES, campaign_path
from reports.queries.campaign import PEOPLE_TABS
from tests.reports.conftest import Site, serving
from tests.running import RefreshedWarehouse, mart_rows
from warehouse.config.settings import Settings
from warehouse.export import campaign_hash

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium or chromedriver is missing: .ci/install-browser installs them"
)

CAMPAIGNS_VISITED = 12
KINDS_OF_PAGES = len(ENTRIES) + 6
"""The first of `pages_of`: one of each kind."""
WIDE, PHONE = (1280, 900), (390, 800)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",  # as root in a container
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(params=["wide", "sample"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


def set_screen(browser: webdriver.Chrome, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def open_page(browser: webdriver.Chrome, link: str) -> None:
    """Opens a page, and checks the browser's log and the requests."""
    browser.get(link)
    host = link.split("/")[2]
    log = [entry["message"] for entry in browser.get_log("browser")]
    assert log == [], link
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert requests, "the browser reports its requests"
    assert [url for url in requests if not url.startswith((f"http://{host}/", "data:"))] == [], link


def links_on(browser: webdriver.Chrome) -> set[str]:
    links = browser.execute_script(
        "return [...document.querySelectorAll('a[href]:not([download])')].map(link => link.href)"
    )
    return {urldefrag(link).url for link in links}


def pages_of(browser: webdriver.Chrome, site: Site) -> list[str]:
    """Links to every kind of page: the tables, the pages of some campaigns, and all tabs of one."""
    campaigns = mart_rows(site.paths.published_marts, "campaign_overview")
    largest = sorted(campaigns, key=lambda row: (-row["unique_sends"], row["campaign_id"]))[:CAMPAIGNS_VISITED]
    first = f"{site.address}{campaign_path(largest[0]['campaign_id'])}"
    return [
        *(f"{site.address}{entry.path}" for entry in ENTRIES),
        f"{site.address}/glossary",
        f"{site.address}/?period=all&clock=sent&figure=revenue&second=click_rate&by=week&sort=conversion_rate",
        f"{site.address}/compare?{urlencode([('campaign', row['campaign_id']) for row in largest[:3]])}",
        f"{site.address}/people/contact?id=nobody",
        f"{site.address}/nowhere",
        f"{site.address}/?type=MMS&search=a",
        f"{site.address}/?search=nothing+is+called+so",
        *(f"{first}?tab={tab.key}" for tab in PEOPLE_TABS),
        f"{first}?search=nobody",
        *(f"{site.address}{campaign_path(row['campaign_id'])}" for row in largest[1:]),
    ]


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe finds on the page: contrast, labels, headings, tables."""
    found = Axe().run(browser, options={"resultTypes": ["violations"]})["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def test_every_page_opens_without_an_error_and_without_a_request_to_another_host(browser, site: Site) -> None:
    set_screen(browser)
    links = dict.fromkeys(pages_of(browser, site))
    for link in links:
        if link.endswith("/nowhere"):
            browser.get(link)
            browser.get_log("browser")  # holds the 404
            continue
        open_page(browser, link)
        assert browser.find_elements(By.TAG_NAME, "h1"), link
        on_page = links_on(browser)
        assert all(url.startswith(site.address) for url in on_page)
    broken = [link for link in on_page if site.get(link).status_code != 200]
    assert broken == []


def test_pages_fit_the_width_of_a_phone(browser, site: Site) -> None:
    set_screen(browser, PHONE)
    for link in pages_of(browser, site)[:KINDS_OF_PAGES]:
        browser.get(link)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE[0], link


def test_a_very_long_name_takes_little_room(browser, sample: Site) -> None:
    set_screen(browser)
    (first, *_) = mart_rows(sample.paths.published_marts, "campaign_metrics")
    for link, name in (("/", ".name a"), ("/", ".bars th a"), (campaign_path(first["campaign_id"]), "h1")):
        browser.get(sample.address + link)
        shown = browser.find_element(By.CSS_SELECTOR, name)
        browser.execute_script("arguments[0].textContent = 'A name and more of it, '.repeat(400)", shown)
        assert shown.size["height"] < 400, name
        assert shown.size["width"] > 100, name


def test_pages_are_accessible(browser, sample: Site) -> None:
    set_screen(browser)
    for link in pages_of(browser, sample)[:KINDS_OF_PAGES]:
        browser.get(link)
        assert violations(browser) == [], link


@pytest.mark.torture
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1920, 1080), (1440, 900), (1024, 768), PHONE], ids=lambda size: str(size[0]))
def test_every_page_is_accessible_and_fits_on_every_screen(
    browser, sample: Site, size: tuple[int, int], scheme: str
) -> None:
    set_screen(browser, size, scheme)
    for link in pages_of(browser, sample):
        browser.get(link)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0], link
        assert violations(browser) == [], link


def test_typing_filters_without_a_click_and_changes_the_link(browser, sample: Site) -> None:
    set_screen(browser)
    browser.get(f"{sample.address}/")
    name = mart_rows(sample.paths.published_marts, "campaign_metrics")[0]["campaign_name"]
    field = browser.find_element(By.NAME, "search")
    field.send_keys(name)
    shown = "return [...document.querySelectorAll('table.sticky-head tbody tr')].map(row => row.innerText)"
    WebDriverWait(browser, 20).until(lambda _: all(name in row for row in browser.execute_script(shown)))
    assert browser.switch_to.active_element == field, "the cursor stays in the field"
    assert "search=" in browser.current_url
    assert browser.find_element(By.LINK_TEXT, "Clear")
    # What is seen is in the links.
    links = browser.execute_script(
        "return [...document.querySelectorAll('main a[href^=\"/?\"], a[download]')].map(link => link.href)"
    )
    assert len(links) > 20
    assert [link for link in links if "search=" not in link] == [f"{sample.address}/?columns=standard#campaigns"], (
        "but for Clear"
    )
    assert browser.execute_script(shown)


def test_ticks_are_counted_and_kept_while_a_person_filters(browser, sample: Site) -> None:
    set_screen(browser)
    browser.get(f"{sample.address}/?columns=standard")
    button = "return document.querySelector('#compare button').disabled"
    words = "return document.querySelector('#compare [role=status]').textContent"
    boxes = browser.find_elements(By.CSS_SELECTOR, "[form=compare]")
    campaigns = [box.get_attribute("value") for box in boxes[:6]]
    disabled = [browser.execute_script(button)]
    for box in boxes[:6]:
        browser.execute_script("arguments[0].click()", box)
        disabled.append(browser.execute_script(button))
    assert disabled == [True, True, False, False, False, False, True]
    assert browser.execute_script(words) == "6 ticked: at most 5"
    for box in boxes[2:6]:
        browser.execute_script("arguments[0].click()", box)
    browser.find_element(By.CSS_SELECTOR, "[name=search]").send_keys(campaigns[1])
    rows = "return document.querySelectorAll('[form=compare]').length"
    WebDriverWait(browser, 15).until(lambda page: page.execute_script(rows) < len(boxes))
    assert browser.execute_script(words) == "2 ticked"
    browser.execute_script("document.querySelector('#compare button').click()")
    WebDriverWait(browser, 15).until(lambda page: "/compare?" in page.current_url)
    assert all(campaign in browser.current_url for campaign in campaigns[:2])


def test_a_meaning_closes_with_escape_and_leaves_the_figure_visible(browser, sample: Site) -> None:
    set_screen(browser)
    browser.get(f"{sample.address}/?period=all")
    values = browser.find_elements(By.CSS_SELECTOR, ".u-legend .u-value")
    assert values
    assert not any(value.text.strip() for value in values[1:]), "without a pointer there are no values"
    meaning = browser.find_element(By.CSS_SELECTOR, ".tile .meaning")
    meaning.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    figure = meaning.find_element(By.XPATH, "./ancestor::div[@class='tile']/dd[@class='value']")
    assert meaning.find_element(By.TAG_NAME, "p").rect["y"] >= figure.rect["y"] + figure.rect["height"]
    meaning.find_element(By.TAG_NAME, "summary").send_keys(Keys.ESCAPE)
    assert meaning.get_attribute("open") is None


def test_a_group_of_the_menu_opens_without_javascript_and_closes_with_escape(browser, sample: Site) -> None:
    set_screen(browser, PHONE)
    for has_scripts in (False, True):
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not has_scripts})
        browser.get(f"{sample.address}/")
        browser.find_element(By.XPATH, "//nav[@aria-label='Pages']//summary[.='People']").click()
        link = browser.find_element(By.LINK_TEXT, "Unsubscribes")
        assert link.is_displayed()
        if has_scripts:
            browser.switch_to.active_element.send_keys(Keys.ESCAPE)
            assert not link.is_displayed()
        else:
            link.click()
            assert browser.find_element(By.TAG_NAME, "h1").text == "Unsubscribes"


def test_pages_work_without_javascript(browser, sample: Site) -> None:
    set_screen(browser)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{sample.address}/")
        Select(browser.find_element(By.NAME, "type")).select_by_visible_text("MMS")
        browser.find_element(By.CSS_SELECTOR, "form[data-live] button").click()
        WebDriverWait(browser, 20).until(lambda _: "type=MMS" in browser.current_url)
        browser.find_element(By.CSS_SELECTOR, ".columns summary").click()
        browser.find_element(By.CSS_SELECTOR, ".columns input[value=campaign_id]").click()
        browser.find_element(By.CSS_SELECTOR, ".columns button").click()
        WebDriverWait(browser, 20).until(lambda _: ".campaign_id" in browser.current_url)
        browser.find_element(By.CSS_SELECTOR, "th.name a").click()
        WebDriverWait(browser, 20).until(lambda _: "/campaigns/" in browser.current_url)
        portrait = browser.find_element(By.CSS_SELECTOR, ".phone").size
        browser.find_element(By.CSS_SELECTOR, "label[for=landscape]").click()
        landscape = browser.find_element(By.CSS_SELECTOR, ".phone").size
        assert portrait["height"] > portrait["width"]
        assert landscape["height"] < landscape["width"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.delete_all_cookies()


def test_a_campaign_is_accessible_and_fits_every_screen(browser, sample: Site) -> None:
    first = max(mart_rows(sample.paths.published_marts, "campaign_metrics"), key=lambda row: row["total_clicks"])
    link = f"{sample.address}{campaign_path(first['campaign_id'])}"
    for scheme in ("light", "dark"):
        set_screen(browser, scheme=scheme)
        for parameters in ("?tab=hard_bounce", "?tab=clicked&search=ct", "?tab=ordered"):
            browser.get(link + parameters)
            assert violations(browser) == []
    for width in (1920, 1440, 1024, 390):
        set_screen(browser, (width, 800))
        browser.get(link)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        browser.execute_script("document.getElementById('money').scrollIntoView()")
        contents = browser.find_element(By.CSS_SELECTOR, ".contents")
        below = browser.execute_script("return arguments[0].getBoundingClientRect().bottom", contents)
        assert (
            0 < below <= browser.execute_script("return document.getElementById('money').getBoundingClientRect().top")
        )


def test_a_click_and_a_key_turn_the_preview_and_keys_scroll_it(browser, sample: Site) -> None:
    set_screen(browser)
    known = mart_rows(sample.paths.published_marts, "campaigns")[0]
    browser.get(f"{sample.address}{campaign_path(known['campaign_id'])}")

    def is_landscape() -> bool:
        phone = browser.find_element(By.CSS_SELECTOR, ".phone").size
        return phone["width"] > phone["height"]

    assert not is_landscape()
    browser.find_element(By.CSS_SELECTOR, ".phone .bubble").click()
    assert is_landscape()
    browser.find_element(By.ID, "landscape").send_keys(Keys.SPACE)
    assert not is_landscape()
    screen = browser.find_element(By.CSS_SELECTOR, ".screen")
    browser.execute_script("arguments[0].querySelector('.bubble').textContent = 'A long text. '.repeat(500)", screen)
    screen.send_keys(Keys.PAGE_DOWN)
    WebDriverWait(browser, 5).until(lambda _: browser.execute_script("return arguments[0].scrollTop", screen) > 0)
    assert not is_landscape()


def test_a_click_requests_an_export(browser, refreshed_sample: RefreshedWarehouse, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(refreshed_sample.warehouse.paths.data, data)
    set_screen(browser)
    with serving(AppContext.of(Settings(data=data))) as site:
        browser.get(f"{site.address}/exports")
        before = len(browser.find_elements(By.CSS_SELECTOR, "td a[download]"))
        Select(browser.find_element(By.NAME, "report")).select_by_value("skip_reasons")
        browser.find_element(By.CSS_SELECTOR, "form button").click()
        # The page reloads until the export is written.
        WebDriverWait(browser, 60).until(lambda _: "exported skip_reasons_" in browser.page_source)
        assert len(browser.find_elements(By.CSS_SELECTOR, "td a[download]")) == before + 1

        campaign = mart_rows(site.paths.published_marts, "campaign_metrics")[0]["campaign_id"]
        browser.get(f"{site.address}{campaign_path(campaign)}")
        Select(browser.find_element(By.NAME, "report")).select_by_value("campaign_overview")
        Select(browser.find_element(By.NAME, "format")).select_by_value("xlsx")
        browser.find_element(By.CSS_SELECTOR, "section.export button").click()
        WebDriverWait(browser, 60).until(lambda _: "exported campaign_overview-" in browser.page_source)
        (link,) = browser.find_elements(By.CSS_SELECTOR, f"td a[download][href*='{campaign_hash(campaign)}']")
        assert link.text.endswith(".xlsx")


def test_a_page_can_be_printed(browser, sample: Site) -> None:
    set_screen(browser)
    browser.get(f"{sample.address}/")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 10_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = browser.find_elements(By.CSS_SELECTOR, "form.filters, .columns, .pages, .on-screen")
    assert hidden
    assert not any(element.is_displayed() for element in hidden)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
