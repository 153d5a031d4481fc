"""What readers of Spark see while builds are published, gone back from and erased: one whole build, always.

One warehouse goes through it all, in the order of the tests: a refresh on Spark is dear.

Not here: that the figures are right (`test_marts_equal`), the same of the published file (`tests/pipeline`, `tests/fault`).
"""

import json
import re
import shutil
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest

from models.error_codes import Code
from models.marts import BASE_MARTS, DBT_MARTS, INSIGHTS, SCHEMA, qualified
from tests.running import CASES, environment_of, sendmart
from tests.spark.cluster import Cluster

A_BUILD_AS_SEEN = (
    "select build_id, (select sum(direct_orders + assisted_orders) from {0}.campaign_metrics),"
    " (select count(*) from {0}.attributed_orders) from {0}.build_info"
)
"""Figures of two marts beside the build that they must be of; they differ where the conversion window does."""

FEW_HOURS, SOME_HOURS = "1", "2"
PAUSE_SECONDS = 0.3
"""Between two looks: the server has a build to compute meanwhile."""

NUMBER = "+447700900199"
ROWS_WITH_THE_NUMBER = {
    "sends": {
        "message_id": f"to|{NUMBER}",
        "campaign_id": "c3-0",
        "contact_id": "contact-who-said-stop",
        "mobile_number": NUMBER,
        "sent_at": "2026-01-14T09:00:00Z",
        "segments": 1,
    },
    "receipts": {
        "message_id": f"to|{NUMBER}",
        "provider_status": "UNDELIV",
        "error_code": f"no {NUMBER}",
        "occurred_at": "2026-01-14T09:00:01Z",
    },
    "clicks": {
        "click_id": f"by|{NUMBER}",
        "campaign_id": "c3-0",
        "contact_id": "contact-who-said-stop",
        "clicked_at": "2026-01-14T09:00:05Z",
        "url": f"https://x.test/{NUMBER}",
    },
    "unsubscribes": {"contact_id": "contact-who-said-stop", "unsubscribed_at": "2026-01-14T08:00:00Z"},
}
MARTS_WITH_THE_NUMBER = {
    "delivery_status",
    "delivery_failures",
    "click_quality",
    "campaign_links",
    "sent_after_opt_out",
}

ROWS_WITH_AN_OLD_RATE = {
    "exchange_rates": {"rate_date": "2026-02-09", "currency": "GBP", "rate": "1.25"},
    "orders": {
        "order_id": "converted-by-an-old-rate",
        "contact_id": "contact-who-said-stop",
        "ordered_at": "2026-02-09T09:00:00Z",
        "total": "10",
        "currency": "EUR",
        "status": "placed",
        "updated_at": "2026-02-09T09:00:00Z",
    },
}


@dataclass(frozen=True)
class OnCluster:
    """A data folder whose builds are published in a schema of the cluster."""

    data: Path
    landing: Path
    schema: str
    cluster: Cluster

    def process(self, *arguments: str, **settings: str) -> CompletedProcess[str]:
        """Runs a command; it may fail."""
        all_settings = {"engine": "spark", "spark_thrift": self.cluster.thrift, "spark_schema": self.schema} | settings
        return sendmart(environment_of(self.data, self.landing, max_rejected_share="1", **all_settings), *arguments)

    def run(self, *arguments: str, **settings: str) -> str:
        """Runs a command and returns its output."""
        run = self.process(*arguments, **settings)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def seen(self, cursor: Any) -> tuple[Any, ...]:
        cursor.execute(A_BUILD_AS_SEEN.format(self.schema))
        (row,) = cursor.fetchall()
        return tuple(row)

    def published(self) -> tuple[Any, ...]:
        """The same values, from the published file."""
        return self.of_file(A_BUILD_AS_SEEN.format(f"published.{SCHEMA}"))[0]

    def of_file(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the published file, attached as `published`."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{self.data}/published/sendmart.duckdb' as published (read_only)")
            return connection.execute(query).fetchall()

    @property
    def builds(self) -> set[str]:
        return {folder.name for folder in (self.data / "warehouse" / "spark" / "builds").iterdir()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, spark: Cluster) -> OnCluster:
    """The small case, refreshed once, in a schema of its own."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(CASES / "small" / "landing", folder / "landing")
    small = OnCluster(folder / "data", folder / "landing", "for_readers", spark)
    small.run("refresh")
    return small


def test_a_reader_sees_one_whole_build_during_publication(small: OnCluster) -> None:
    is_over, seen = threading.Event(), []

    def read() -> None:
        with small.cluster.connect() as cursor:
            while not is_over.wait(PAUSE_SECONDS):
                seen.append(small.seen(cursor))

    before = small.published()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        small.run("refresh", conversion_window_hours=FEW_HOURS)
        after = small.published()
        small.run("rollback", conversion_window_hours=FEW_HOURS)
        again = small.published()
    finally:
        is_over.set()
        reader.join()
    assert before[1:] != after[1:]
    assert again[0] == before[0]
    changes = [now for earlier, now in pairwise(seen) if earlier != now]
    assert [seen[0], *changes] == [before, after, again]


def test_without_the_export_the_published_file_holds_views_on_spark_tables(small: OnCluster) -> None:
    file, rows = small.data / "published" / "sendmart.duckdb", _rows(small)
    size = file.stat().st_size
    small.run("refresh", spark_export="false", insights="true", conversion_window_hours=SOME_HOURS)
    assert file.stat().st_size < size
    assert _insights(small) == INSIGHTS.keys()
    assert {mart for mart in BASE_MARTS if _rows(small)[mart] != rows[mart]} == {"attributed_orders"}
    with small.cluster.connect() as cursor:
        assert small.seen(cursor) == small.published()
    exported = sorted((small.data / "exports" / "delivery_status").glob("*.csv"))
    reports = ("delivery_status", "delivery_routes")
    small.run(
        "export", *reports, "--all-campaigns", spark_export="false", insights="true", conversion_window_hours=SOME_HOURS
    )
    (routes,) = (small.data / "exports" / "delivery_routes").glob("*.csv")
    assert (
        len(routes.read_text(encoding="utf-8").splitlines())
        == small.of_file("select count(*) from published.insights.delivery_routes")[0][0] + 1
    )
    (new,) = {*(small.data / "exports" / "delivery_status").glob("*.csv")}.difference(exported)
    assert len(new.read_text(encoding="utf-8").splitlines()) == rows["delivery_status"] + 1


def test_phone_numbers_are_masked_in_spark_tables(small: OnCluster) -> None:
    for log, row in (ROWS_WITH_THE_NUMBER | ROWS_WITH_AN_OLD_RATE).items():
        (small.landing / log / "2026-01-14.jsonl").write_text(json.dumps(row), encoding="utf-8")
    small.run("refresh", mask_phone_numbers="true", insights="true", conversion_window_hours=SOME_HOURS)
    assert _insights(small) == INSIGHTS.keys()
    with small.cluster.connect() as cursor:
        cursor.execute(f"select mobile_number, mobile_number_hash from {small.schema}.delivery_status")
        on_spark = sorted(tuple(row) for row in cursor.fetchall())
        assert _marts_with(small, cursor, NUMBER[1:]) == set()
        assert _marts_with(small, cursor, f"{NUMBER[1:3]}…{NUMBER[-2:]}") == MARTS_WITH_THE_NUMBER
    published = small.of_file("select mobile_number, mobile_number_hash from published.marts.delivery_status")
    assert on_spark == sorted(published)
    assert all("…" in number for number, _ in on_spark)


def test_the_failing_rows_of_a_check_are_described_and_kept_in_spark(small: OnCluster) -> None:
    audit = (small.data / "published" / "audits" / f"{small.published()[0]}.html").read_text(encoding="utf-8")
    (table,) = set(re.findall(r"to see them in Spark: from (\w+\.assert_exchange_rates_are_recent)", audit))
    assert (
        f"EUR orders: 1, 16.00 USD in all, oldest rate 2026-01-23 (1); currency EUR; to see them in Spark: from {table}"
        in audit
    )
    with small.cluster.connect() as cursor:
        cursor.execute(f"select currency from {table}")
        assert cursor.fetchall() == [("EUR",)]


def test_erased_contacts_are_gone_from_spark_after_the_next_build(small: OnCluster) -> None:
    with small.cluster.connect() as cursor:
        cursor.execute(
            f"select contact_id from {small.schema}.delivery_status order by length(contact_id) desc limit 1"
        )
        ((contact,),) = cursor.fetchall()
        output = small.run("erase", "--contact", contact, "--reason", "asked for it")
        assert "Spark still shows the erased rows. The next published build removes them" in output
        before = small.builds
        small.run("refresh", conversion_window_hours=SOME_HOURS)
        assert small.builds.isdisjoint(before)
        assert _insights(small) == set()
        cursor.execute(f"select count(*) from {small.schema}.delivery_status where contact_id = '{contact}'")
        assert cursor.fetchall() == [(0,)]
    holding = [file for file in small.data.rglob("*") if file.is_file() and contact.encode() in file.read_bytes()]
    assert holding == []


def test_a_sum_that_does_not_fit_names_the_row_of_its_largest_order(small: OnCluster) -> None:
    contact, ordered_at = small.of_file(
        "select contact_id, ordered_at::varchar from published.marts.attributed_orders"
        " where attribution = 'direct' limit 1"
    )[0]
    lines = [f"sum-{number},{contact},{ordered_at},{10**14 - 1},USD,placed,{ordered_at}" for number in range(101)]
    header = "order_id,contact_id,ordered_at,total,currency,status,updated_at"
    (small.landing / "orders" / "2026-01-14.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    before = small.published()
    run = small.process("refresh")
    assert run.returncode == 1
    assert f"{Code.SUM_TOO_LARGE}: build: campaign " in run.stdout
    assert "(orders/2026-01-14.csv, row " in run.stdout
    with small.cluster.connect() as cursor:
        assert small.seen(cursor) == small.published() == before


def _rows(small: OnCluster) -> dict[str, int]:
    return {mart: small.of_file(f"select count(*) from published.{SCHEMA}.{mart}")[0][0] for mart in BASE_MARTS}


def _marts_with(small: OnCluster, cursor: Any, text: str) -> set[str]:
    """The marts that readers of Spark see with this text in a row."""
    found = set()
    for mart in DBT_MARTS:
        cursor.execute(f"select count(*) from {small.schema}.{mart} where contains(to_json(struct(*)), '{text}')")
        if cursor.fetchall() != [(0,)]:
            found.add(mart)
    return found


def _insights(small: OnCluster) -> set[str]:
    """The insights that readers of Spark see, after a look that the published file has the same rows of each."""
    with small.cluster.connect() as cursor:
        cursor.execute(f"show views in {small.schema}")
        names = {name for _, name, *_ in cursor.fetchall() if name in INSIGHTS}
        for name in names:
            cursor.execute(f"select count(*) from {small.schema}.{name}")
            assert cursor.fetchall() == small.of_file(f"select count(*) from published.{qualified(name)}"), name
    return names
