"""The pages show the figures of the marts, escape text from data, and exchange nothing with other hosts."""

import csv
import html
import io
import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import duckdb
import httpx
import openpyxl
import pytest

from models.masking import masked_number
from orchestration.stages import AppContext, export_reports, plan_refresh
from reports import security
from reports.formatting import count, money
from reports.links import campaign_path
from reports.queries.campaign import TABS
from reports.site import MEDIA_TYPES
from tests.reports.conftest import Site, serving, with_masked_build, with_settings
from tests.running import RefreshedWarehouse, csv_rows, mart_rows
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.export import REPORTS, FileFormat
from warehouse.ledger import Refresh, now


@pytest.fixture(params=["wide", "sample"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


def texts(page: str, tag: str) -> list[str]:
    """The visible text of every element of a tag."""
    return [plain(inner) for inner in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, flags=re.DOTALL)]


def plain(markup: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", markup).split()))


def table_rows(page: str, caption: str) -> list[list[str]]:
    """The body cells, by row, of the table whose caption begins with a text."""
    table = next(t for t in re.findall(r"<table.*?</table>", page, flags=re.DOTALL) if plain(t).startswith(caption))
    body = re.search(r"<tbody>(.*?)</tbody>", table, flags=re.DOTALL)[1]
    return [
        [plain(cell) for _, cell in re.findall(r"<(t[hd])\b[^>]*>(.*?)</\1>", row, flags=re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
    ]


def campaign_ids(downloaded: httpx.Response) -> list[str]:
    """The campaigns in a CSV of the campaign table."""
    return [row["campaign_id"] for row in csv_rows("campaign_metrics", downloaded.text)]


def latest_export(site: Site, report: str) -> Path:
    """The latest by the time in its name: other tests may have exported again."""
    return max((site.paths.exports / report).glob("*.csv"))


# --- a campaign


TILES = {
    "revenue": "Revenue",
    "unique_sends": "Unique sends",
    "unique_deliveries": "Unique deliveries",
    "pending": "Pending",
    "soft_bounces": "Soft bounces",
    "hard_bounces": "Hard bounces",
    "deleted": "Deleted",
    "unsubscribes": "Unsubscribes",
}
EXPLANATIONS = {
    "delivered": "The message was sent and delivered to the contact.",
    "pending": "The message is with the network and not yet delivered: the phone may be switched off or out of reach.",
    "soft_bounce": "The time allowed for delivery expired, which is two to three days on most networks.",
    "hard_bounce": "Delivery failed for any other reason, such as a number that does not exist.",
    "deleted": "A network has deleted these numbers: they are no longer in service.",
}


def test_the_page_of_a_campaign_shows_its_tiles_and_the_contacts_of_each_tab(site: Site) -> None:
    overviews = mart_rows(site.paths.published_marts, "campaign_overview")
    statuses = mart_rows(site.paths.published_marts, "delivery_status")
    skipped = mart_rows(site.paths.published_marts, "skip_reasons")
    for overview in sorted(overviews, key=lambda row: -row["unique_sends"])[:6]:
        campaign_id = overview["campaign_id"]
        page = site.get(campaign_path(campaign_id)).text
        tiles = re.search(r'<dl class="tiles">(.*?)</dl>', page, flags=re.DOTALL)[1]
        assert texts(tiles, "dt") == list(TILES.values())
        for column, shown in zip(TILES, texts(tiles, "dd"), strict=True):
            assert shown.split()[0] == (money if column == "revenue" else count)(overview[column])
        for tab in TABS:
            tab_contacts = sorted(
                row["contact_id"]
                for row in statuses
                if row["campaign_id"] == campaign_id and row["delivery_status"] == tab.status
            )
            page = site.get(f"{campaign_path(campaign_id)}?tab={tab.status}").text
            assert EXPLANATIONS[tab.status] in page
            assert f"{tab.label} {count(len(tab_contacts))}" in texts(page, "a")
            shown = [row[0] for row in table_rows(page, tab.label)] if tab_contacts else []
            assert shown == tab_contacts[:50]
            response = site.get("/contacts.csv", params={"campaign": campaign_id, "tab": tab.status}).text
            rows = csv_rows("delivery_status", response)
            assert [row["contact_id"].removeprefix("'") for row in rows] == tab_contacts
        campaign_skips = [row for row in skipped if row["campaign_id"] == campaign_id]
        if campaign_skips:
            shown = {row[0].split()[0]: int(row[2]) for row in table_rows(page, "Reasons")}
            assert shown == {
                reason: sum(row["skip_reason"] == reason for row in campaign_skips)
                for reason in {row["skip_reason"] for row in campaign_skips}
            }
            assert len(table_rows(page, "Skipped contacts")) == min(50, len(campaign_skips))


def test_the_pages_of_contacts_hold_every_contact_once_and_in_order(sample: Site) -> None:
    overview = max(
        mart_rows(sample.paths.published_marts, "campaign_overview"), key=lambda row: row["unique_deliveries"]
    )
    path, number = campaign_path(overview["campaign_id"]), overview["unique_deliveries"]
    pages = -(-number // 50)
    assert pages > 4
    shown = [
        row[0]
        for page in range(1, pages + 1)
        for row in table_rows(sample.get(f"{path}?page={page}").text, "Delivered")
    ]
    assert len(shown) == number
    assert shown == sorted(set(shown))
    assert f"Page {pages} of {pages}" in sample.get(f"{path}?page=99999").text


def test_pages_of_unsent_unknown_and_missing_campaigns_say_so(wide: Site) -> None:
    assert wide.get("/campaigns/nowhere").status_code == 404
    known = {row["campaign_id"] for row in mart_rows(wide.paths.published_marts, "campaigns")}
    sent = {row["campaign_id"] for row in mart_rows(wide.paths.published_marts, "campaign_overview")}
    for campaign_id in sorted(sent - known)[:3]:
        assert "so there is no message to show" in wide.get(campaign_path(campaign_id)).text
    for campaign_id in sorted(known - sent)[:3]:
        assert "This campaign has not been sent yet" in wide.get(campaign_path(campaign_id)).text


def test_clicks_and_orders_over_time_add_up_to_the_mart(site: Site) -> None:
    orders = mart_rows(site.paths.published_marts, "attributed_orders")
    drawn = {"Clicks": 0, "Orders": 0}
    for campaign in mart_rows(site.paths.published_marts, "campaign_metrics"):
        page = site.get(campaign_path(campaign["campaign_id"])).text
        shown = {
            heading: table_rows(page, f"{heading} by {by}")
            for heading in drawn
            for by in ("hour", "day", "month")
            if f"{heading} by {by}" in page
        }
        sums = {
            heading: [sum(map(int, column)) for column in list(zip(*rows, strict=True))[1:]]
            for heading, rows in shown.items()
        }
        assert sums.get("Clicks", [0]) == [campaign["total_clicks"]]
        assert sums.get("Orders", [0, 0]) == [campaign["direct_orders"], campaign["assisted_orders"]]
        if shown.get("Orders"):
            first = min(row["ordered_at"] for row in orders if row["campaign_id"] == campaign["campaign_id"])
            assert f"{first:%Y-%m-%d %H:00}".startswith(shown["Orders"][0][0])
        for heading in shown:
            drawn[heading] += 1
    assert all(drawn.values()), "both charts were drawn"


def test_clicks_of_an_hour_agree_with_the_log(site: Site) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{site.paths.build}' as build (read_only)")
        clicks = connection.execute(
            "select campaign_id, contact_id, clicked_at from build.intermediate.int_clicks_deduplicated"
        )
        by_hour: dict[tuple, list[str]] = {}
        for campaign_id, contact_id, clicked_at in clicks.fetchall():
            hour = clicked_at.replace(minute=0, second=0, microsecond=0)
            by_hour.setdefault((campaign_id, hour), []).append(contact_id)
    table = mart_rows(site.paths.published_marts, "campaign_clicks_hourly")
    assert {(row["campaign_id"], row["hour_at"]): (row["clicks"], row["unique_clickers"]) for row in table} == {
        key: (len(contacts), len(set(contacts))) for key, contacts in by_hour.items()
    }


# --- numbers


def some_contact(site: Site) -> dict:
    return min(mart_rows(site.paths.published_marts, "delivery_status"), key=lambda row: row["contact_id"])


def links_with_numbers(contact: dict) -> list[str]:
    tab = f"tab={contact['delivery_status']}"
    campaign = quote(contact["campaign_id"], safe="")
    return [f"{campaign_path(contact['campaign_id'])}?{tab}", f"/contacts.csv?campaign={campaign}&{tab}"]


def test_numbers_are_masked_on_every_page_and_in_every_download(site: Site) -> None:
    contact = some_contact(site)
    numbers = {row["mobile_number"] for row in mart_rows(site.paths.published_marts, "delivery_status")}
    exports = re.findall(r'href="(/exports/[^"]+)"', site.get("/exports").text)
    assert {link.split("/")[2] for link in exports} == set(REPORTS)
    for link in [*links_with_numbers(contact), *exports]:
        response = site.get(link).text
        assert not [number for number in numbers if number in response], link
    masked = f"{contact['mobile_number'][:3]}…{contact['mobile_number'][-2:]}"
    assert all(masked in site.get(link).text for link in links_with_numbers(contact))


def test_numbers_are_shown_if_the_setting_says_so(refreshed_sample: RefreshedWarehouse) -> None:
    with serving(with_settings(refreshed_sample.warehouse, reports_show_phone_numbers=True)) as open_site:
        contact = some_contact(open_site)
        assert all(contact["mobile_number"] in open_site.get(link).text for link in links_with_numbers(contact))
        exported = latest_export(open_site, "delivery_status")
        assert open_site.get(f"/exports/delivery_status/{exported.name}").content == exported.read_bytes()


def test_a_masked_export_differs_only_in_the_numbers(site: Site) -> None:
    exported = latest_export(site, "delivery_status")
    exported_text = exported.read_text(encoding="utf-8")
    masked = re.sub(r"(\+[0-9]{2})[0-9]{3,11}([0-9]{2})", r"\1…\2", exported_text)
    assert masked != exported_text
    assert site.get(f"/exports/delivery_status/{exported.name}").content.decode() == masked


def test_a_complete_number_finds_its_contact_and_a_part_only_where_numbers_are_shown(
    sample: Site, refreshed_sample: RefreshedWarehouse
) -> None:
    contact = some_contact(sample)
    path, number = f"{campaign_path(contact['campaign_id'])}?tab={contact['delivery_status']}", contact["mobile_number"]
    for search in (number, number[1:], "00" + number[1:], f"{number[:4]} {number[4:7]}-{number[7:]}"):
        assert (
            contact["contact_id"] in sample.get(path, params={"tab": contact["delivery_status"], "search": search}).text
        )
    part = {"tab": contact["delivery_status"], "search": number[3:-1]}
    assert "No contact of this status matches" in sample.get(path, params=part).text
    with serving(with_settings(refreshed_sample.warehouse, reports_show_phone_numbers=True)) as open_site:
        assert contact["contact_id"] in open_site.get(path, params=part).text


def test_numbers_that_were_published_masked_stay_masked_under_any_setting(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    with serving(with_masked_build(refreshed_sample.warehouse, tmp_path, reports_show_phone_numbers=True)) as site:
        contact = some_contact(site)
        for link in links_with_numbers(contact):
            response = site.get(link).text
            assert contact["mobile_number"] in response
            assert "hash of a number" in response
        assert "Hash of the number" in site.get(campaign_path(contact["campaign_id"])).text


# --- what is published


def test_a_new_build_is_shown_at_the_next_request_and_a_missing_one_gives_a_plain_message(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    def publish(build_id: str) -> None:
        paths.published_marts.parent.mkdir(exist_ok=True)
        temp_path = paths.published_marts.with_name("copy.duckdb")
        shutil.copyfile(refreshed_sample.warehouse.paths.published_marts, temp_path)
        with duckdb.connect() as connection:
            connection.execute(f"attach '{temp_path}' as published")
            connection.execute(f"update published.marts.build_info set build_id = '{build_id}'; checkpoint published")
        temp_path.replace(paths.published_marts)

    paths = DataPaths(tmp_path)
    settings = Settings(data=tmp_path)
    with serving(AppContext(settings, paths, refreshed_sample.warehouse.ledger)) as site:
        response = site.get("/")
        assert response.status_code == 503
        assert "Nothing has been published yet" in response.text
        assert "There are no exports yet" in site.get("/exports").text
        for build_id in ("first", "second", "third"):
            publish(build_id)
            assert f"Build {build_id}" in plain(site.get("/").text)
        paths.published_marts.write_bytes(b"no DuckDB file")
        response = site.get("/")
        assert (response.status_code, "cannot be read" in response.text) == (500, True)
        paths.published_marts.unlink()
        assert site.get("/").status_code == 503


def test_every_page_shows_the_age_of_its_data_and_a_build_that_was_held_back(
    sample: Site, refreshed_sample: RefreshedWarehouse
) -> None:
    (info,) = mart_rows(sample.paths.published_marts, "build_info")
    for link in ("/", "/exports", campaign_path(some_contact(sample)["campaign_id"])):
        page = plain(sample.get(link).text)
        assert f"Data until {info['data_until']} , published {info['published_at']:%Y-%m-%d %H:%M} UTC" in page
        assert f"Build {info['build_id']}" in page
        assert "held back" not in page
    ledger = refreshed_sample.warehouse.ledger
    last = ledger.last_refresh()
    ledger.record_run(
        Refresh(now(), now(), "held back", "file-refused: sends/x.csv, to <b>+447700900123</b>. Drop it again.")
    )
    try:
        page = sample.get("/").text
        assert "Newer figures are held back" in page
        assert "A log file could not be read at all" in page
        assert "&lt;b&gt;+44…23&lt;/b&gt;" in page
        assert "last good build" in page
        assert "last good build" not in sample.get("/nowhere").text, "a page without figures does not mention the build"
    finally:
        ledger.record_run(Refresh(now(), now(), last.outcome, last.message))


# --- exports


def test_a_requested_export_is_written_like_a_scheduled_one(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(refreshed_sample.warehouse.paths.data, data)
    with serving(AppContext.of(Settings(data=data))) as site:
        before = site.get("/exports").text
        form = {"report": "skip_reasons", "token": security.TOKEN}
        response = site.client.post("/exports", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert response.status_code == 303
        while "being written" in (page := site.get("/exports").text) or "waiting" in page:
            assert 'http-equiv="refresh"' in page
        (file,) = set(re.findall(r'href="/exports/([^"]+)"', page)) - set(
            re.findall(r'href="/exports/([^"]+)"', before)
        )
        assert f"exported {file.partition('/')[2]}" in plain(page)
        assert (site.paths.exports / file).with_suffix(".json").exists()
        assert site.paths.exports.joinpath(file).name in AppContext.of(Settings(data=data)).ledger.exported_files(
            "skip_reasons"
        )
        rows = mart_rows(site.paths.published_marts, "skip_reasons")
        assert len(list(csv.reader(io.StringIO(site.get(f"/exports/{file}").text)))) == len(rows) + 1
        assert count(len(rows)) in next(row for row in table_rows(page, "Exports") if row[-1] == file.partition("/")[2])


def test_an_export_of_one_campaign_is_requested_on_its_page_and_downloaded_masked(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(refreshed_wide.warehouse.paths.data, data, ignore=shutil.ignore_patterns("dagster", "warehouse"))
    warehouse = AppContext.of(Settings(data=data, landing=refreshed_wide.landing))
    rows = mart_rows(warehouse.paths.published_marts, "delivery_status")
    known = {
        row["campaign_id"]: row["campaign_name"] for row in mart_rows(warehouse.paths.published_marts, "campaigns")
    }
    requested = [campaign for campaign in dict.fromkeys(row["campaign_id"] for row in rows) if campaign in known][:2]
    before = (warehouse.ledger.exported_files("delivery_status"), plan_refresh(warehouse))
    with serving(warehouse) as site:
        client = site.client
        client.headers["Sec-Fetch-Site"] = "same-origin"
        for campaign in requested:
            page = client.get(campaign_path(campaign)).text
            (action,) = re.findall(r'<form [^>]*method="post" action="([^"]+)"', page)
            for file_format in FileFormat:
                form = {"report": "delivery_status", "format": file_format, "token": security.TOKEN}
                assert client.post(html.unescape(action), data=form).status_code == 303
        while "being written" in (page := client.get("/exports").text) or "waiting" in page:
            pass
        listed = [row for row in table_rows(page, "Exports") if "-" in row[-1]]
        assert sorted(row[2] for row in listed) == sorted(
            plain(known[campaign]) for campaign in requested for _ in "ab"
        )
        for row in listed:
            file = f"delivery_status/{row[-1]}"
            metadata = json.loads((warehouse.paths.exports / file).with_suffix(".json").read_text(encoding="utf-8"))
            (campaign,) = metadata["campaigns"]
            numbers = {
                contact["contact_id"]: contact["mobile_number"]
                for contact in rows
                if contact["campaign_id"] == campaign
            }
            assert row[3] == count(len(numbers))
            exported, downloaded = (warehouse.paths.exports / file).read_bytes(), client.get(f"/exports/{file}")
            assert downloaded.headers["content-type"] == MEDIA_TYPES[FileFormat(file.rpartition(".")[2])]
            assert file.partition("/")[2] in downloaded.headers["content-disposition"]
            masked = {contact: masked_number(number) for contact, number in numbers.items()}
            assert _numbers_in(exported, file) == (masked if file.endswith(".xlsx") else numbers)
            assert _numbers_in(downloaded.content, file) == masked
    assert (warehouse.ledger.exported_files("delivery_status"), plan_refresh(warehouse)) == before


def test_the_filtered_table_is_kept_as_an_export(refreshed_wide: RefreshedWarehouse, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(refreshed_wide.warehouse.paths.data, data, ignore=shutil.ignore_patterns("dagster", "warehouse"))
    link = "/?type=MMS&sort=campaign_id&order=asc&columns=campaign_id&columns=revenue"
    with serving(AppContext.of(Settings(data=data, landing=refreshed_wide.landing))) as site:
        site.client.headers["Sec-Fetch-Site"] = "same-origin"
        (action,) = re.findall(r'<form [^>]*method="post" action="(/exports[^"]+)"', site.get(link).text)
        form = {"report": "campaign_metrics", "rows": "table", "format": "csv", "token": security.TOKEN}
        assert site.client.post(html.unescape(action), data=form).status_code == 303
        while "being written" in (page := site.get("/exports").text) or "waiting" in page:
            pass
        (listed,) = [row for row in table_rows(page, "Exports") if "-" in row[-1]]
        assert listed[2] == "MMS campaigns"
        kept = site.get(f"/exports/campaign_metrics/{listed[-1]}").content
        assert kept == site.get(f"/campaigns.csv{link[1:]}").content
        assert b",Revenue,Orders not in revenue," in kept
        shown = campaign_ids(site.get("/campaigns.csv?type=MMS&columns=campaign_id"))
        assert len(shown) == int(listed[3]) > 1


def _numbers_in(content: bytes, file: str) -> dict[str, str]:
    """By contact, the numbers in an export of delivery details."""
    if file.endswith(".csv"):
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    else:
        header, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
    contact, number = header.index("Contact"), header.index("Number")
    return {row[contact]: row[number].removeprefix("'") for row in rows}


def test_a_refused_export_is_reported_and_a_spreadsheet_with_whole_numbers_is_not_sent(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(refreshed_wide.warehouse.paths.data, data, ignore=shutil.ignore_patterns("dagster", "warehouse"))
    warehouse = AppContext.of(Settings(data=data))
    with serving(warehouse) as site:
        client = site.client
        client.headers["Sec-Fetch-Site"] = "same-origin"
        form = {"report": "skip_reasons", "format": "xlsx", "token": security.TOKEN}
        client.post("/exports", params={"campaign": "<i>nobody's</i>"}, data=form)
        assert client.post("/exports", data=form | {"format": "exe"}).status_code == 400
        assert client.post("/exports", data=form | {"report": "build_info"}).status_code == 400
        while "being written" in (page := client.get("/exports").text) or "waiting" in page:
            pass
        assert "could not be written: the published build knows no campaign" in plain(page)
        assert "<i>nobody" not in page
        (export,) = export_reports(warehouse, ["skip_reasons"], file_format=FileFormat.XLSX)
        response = client.get(f"/exports/skip_reasons/{export.file}")
        assert (response.status_code, "Request it again" in response.text) == (404, True)
        metadata_file = (warehouse.paths.exports / "skip_reasons" / export.file).with_suffix(".json")
        metadata = json.loads(metadata_file.read_text())
        assert metadata.pop("phone_numbers") == "whole"
        # As release 0.2 wrote it.
        metadata_file.write_text(json.dumps(metadata))
        assert client.get(f"/exports/skip_reasons/{export.file}").status_code == 404
        (overview,) = export_reports(warehouse, ["campaign_overview"], file_format=FileFormat.XLSX)
        assert client.get(f"/exports/campaign_overview/{overview.file}").status_code == 200


OWN_TOKEN = "own token"
"""Stands for the token of the process, which is not known when tests are collected."""


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, OWN_TOKEN),
        ({"Sec-Fetch-Site": "cross-site"}, OWN_TOKEN),
        ({"Sec-Fetch-Site": "same-site"}, OWN_TOKEN),
        ({"Origin": "https://elsewhere.example"}, OWN_TOKEN),
        ({"Origin": "null"}, OWN_TOKEN),
        ({"Sec-Fetch-Site": "same-origin"}, "guessed"),
        ({"Sec-Fetch-Site": "same-origin"}, "gu\u00e9ss"),
        ({"Sec-Fetch-Site": "same-origin"}, ""),
    ],
)
def test_no_other_site_can_request_an_export(sample: Site, headers: dict[str, str], token: str) -> None:
    form = {"report": "skip_reasons", "token": token.replace(OWN_TOKEN, security.TOKEN)}
    response = sample.client.post("/exports", data=form, headers=headers)
    assert response.status_code == 403
    assert "Requested exports" not in sample.get("/exports").text


def test_only_listed_exports_can_be_downloaded(sample: Site) -> None:
    (sample.paths.exports / "skip_reasons" / "secret.csv").write_text("no export")
    for file in (
        "secret.csv", "..%2F..%2Fledger.sqlite", "%2Fetc%2Fpasswd", "skip_reasons_20200101T000000Z.csv",
        "..%2Fskip_reasons%2Fsecret.csv",
    ):  # fmt: skip
        assert sample.get(f"/exports/skip_reasons/{file}").status_code == 404
    assert "secret.csv" not in sample.get("/exports").text


# --- safety


def test_every_response_has_the_security_headers(site: Site) -> None:
    for link in ("/", "/exports", "/nowhere", "/campaigns.csv", "/static/css/base.css", "/static/none"):
        headers = site.get(link).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert site.get("/").headers["cache-control"] == "no-store"


def test_no_response_names_the_host_of_the_request(sample: Site) -> None:
    """Behind a login, the browser knows another host."""
    for link in ("/exports/", "/campaigns", "/static"):
        response = sample.client.get(link, follow_redirects=False)
        assert (response.status_code, response.headers.get("location")) == (404, None)


def test_a_foreign_host_name_that_resolves_to_this_machine_opens_no_page(sample: Site) -> None:
    assert sample.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
    assert sample.client.delete("/exports").status_code == 405


def test_an_unexpected_error_gives_a_plain_message_with_the_same_headers(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.database.PAGE_SIZE", 0)  # a division by it
    with serving(refreshed_sample.warehouse) as site:
        response = site.get("/")
        assert (response.status_code, "Something went wrong." in response.text) == (500, True)
        assert "ZeroDivisionError" not in response.text
        assert response.headers["content-security-policy"].startswith("default-src 'self'")


def test_a_csv_that_cannot_be_written_gives_a_plain_message_and_no_file(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(AppContext(Settings(data=tmp_path), DataPaths(tmp_path), refreshed_sample.warehouse.ledger)) as site:
        assert site.get("/campaigns.csv").status_code == 503
    monkeypatch.setattr(
        "warehouse.export.report_sql.cell_sql", lambda column, mode, **options: "error('+447700900123')"
    )
    with serving(refreshed_sample.warehouse) as site:
        response = site.get("/campaigns.csv")
        assert (response.status_code, "cannot be read" in response.text) == (500, True)


HOSTILE = [
    "<script>alert(1)</script>", "'); drop table marts.campaigns; --", "../../etc/passwd", "..", ".", "a/b?c=d#e&f%2Fg",
    "=cmd|' /C calc'!A0", "{{ 7 * 7 }}{% raw %}", '"><img src=x onerror=alert(1)>', "\u202eevil\u202c", "line\nbreak",
]  # fmt: skip


def test_names_ids_and_texts_are_escaped(refreshed_sample: RefreshedWarehouse, tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.published_marts.parent.mkdir()
    shutil.copyfile(refreshed_sample.warehouse.paths.published_marts, paths.published_marts)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{paths.published_marts}' as published; use published.marts")
        for text in HOSTILE:
            for mart in ("campaign_metrics", "campaign_overview"):
                connection.execute(
                    f"insert into {mart} select * replace (? as campaign_id, ? as campaign_name) from {mart} limit 1",
                    [text, text],
                )
            connection.execute(
                "insert into campaigns select * replace (? as campaign_id, ? as campaign_name, ? as body, ? as sender,"
                " ? as media_url, 'MMS' as campaign_type) from campaigns limit 1",
                [text] * 5,
            )
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        table = site.get("/?sort=campaign_id&order=asc&columns=campaign_id&columns=campaign_name").text
        for text in HOSTILE:
            page = site.get(campaign_path(text))
            assert page.status_code == 200, text
            for response in (page.text, table):
                assert "<script>alert" not in response
                assert "<img" not in response
            assert html.escape(text.split("\n")[0], quote=False).split("'")[0].split('"')[0] in page.text
            assert f"<title>{html.escape(text).replace('&quot;', '&#34;').replace('&#x27;', '&#39;')}" in page.text
            assert f'href="{campaign_path(text)}"' in table
        assert "'=cmd|' /C calc'!A0" in campaign_ids(site.get("/campaigns.csv?columns=campaign_id"))
