"""Which rows of a build are held to its checks: those it touched, where the build before was held to every check."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.running import RefreshedWarehouse, copy_of, environment
from warehouse.transform import check_scope, dbt_tests
from warehouse.transform.dbt_runner import DBT_PROJECT, run_dbt

SEND = "message_id,campaign_id,contact_id,mobile_number,sent_at,segments\n"


@pytest.fixture(scope="module")
def audited_once(refreshed_small: RefreshedWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    """A warehouse with the small case, built and held to every check; then one more message has come."""
    folder = tmp_path_factory.mktemp("audited")
    copy = copy_of(refreshed_small, folder, max_rejected_share="1")
    warehouse = copy.warehouse
    with environment(copy.environment):
        assert _holds(warehouse) == []
        (copy.landing / "sends" / "2026-02-01.csv").write_text(
            SEND + "new,c-new,zz-new,+447700900999,2026-02-01 08:00:00,1\n"
        )
        for log in Log:
            stages.load_changed(warehouse, log)
        shutil.copytree(folder / "data", folder / "as_audited")
        stages.build_candidate(warehouse)
        shutil.copytree(folder / "data", folder / "as_built")
        yield warehouse


def _restored(warehouse: AppContext, name: str) -> AppContext:
    """At the same place, for dbt parses a project again wherever its paths differ."""
    data = warehouse.paths.data
    shutil.rmtree(data)
    shutil.copytree(data.with_name(name), data)
    return warehouse


@pytest.fixture
def audited(audited_once: AppContext) -> AppContext:
    """Every check passed; then a row was loaded that is in no build."""
    return _restored(audited_once, "as_audited")


@pytest.fixture
def built(audited_once: AppContext) -> AppContext:
    """The same after a build, before the checks."""
    return _restored(audited_once, "as_built")


def _refresh(warehouse: AppContext) -> None:
    for log in Log:
        stages.load_changed(warehouse, log)
    stages.build_candidate(warehouse)
    _check(warehouse)


def _check(warehouse: AppContext) -> None:
    stages.test_candidate(warehouse)
    stages.audit_candidate(warehouse)


def _holds(warehouse: AppContext) -> list[str]:
    return sorted(
        problem.description.partition(":")[0]
        for problem in stages.evaluate_gate(warehouse).blocking_problems
        if problem.code == "check-failed"
    )


def _spoil(warehouse: AppContext, contact: str) -> None:
    """Repeats a row of the candidate, with a status that there is none of."""
    with duckdb.connect(str(warehouse.paths.candidate)) as connection:
        connection.execute(
            "insert into marts.delivery_status select * replace ('lost' as delivery_status) from marts.delivery_status"
            f" where contact_id = {contact} limit 1"
        )


BREAK_EVERY_INVARIANT = """
update campaigns set last_modified_by = 'someone else';
update campaign_metrics set campaign_id = campaign_id || '-other', total_segments = -1, total_clicks = total_clicks + 1,
    direct_orders = direct_orders + 1, total_sent = total_sent + 1, unsubscribes = unsubscribes + 1;
insert into campaign_clicks_hourly select campaign_id, timestamp '2026-01-05 08:30:00', 1, 1 from campaign_metrics;
update attributed_unsubscribes set campaign_id = 'other', contact_id = 'stranger' || unsubscribed_at;
insert into attributed_orders
    select 'placed', campaign_id, 'assisted', 'stranger', timestamp '2026-01-05', timestamp '2026-01-05', 'k', null, 'USD',
        10, 0
    from campaign_metrics;
insert into unconverted_orders
    select distinct order_id, contact_id, ordered_at, currency, 10, 11, 'other' from attributed_orders where revenue is not null;
update skip_reasons set skip_reason_details = ' ';
update delivery_status set provider = null, error_code = '30003';
insert into suppressed_numbers values ('+447700900999', timestamp '2026-01-05', 'other', 'other', 'stranger');
update unmatched_events set events = events + 1000, kind = 'other';
"""

WARNINGS = {"assert_exchange_rates_are_recent"}

UNTOUCHED = "(select min(contact_id) from marts.delivery_status)"


def test_rows_changed_by_a_build_are_checked(built: AppContext) -> None:
    _spoil(built, "'zz-new'")
    _check(built)
    assert {
        "contract_delivery_status",
        "keys_of_delivery_status_are_unique",
        "delivery_status_of_delivery_status_is_known",
    } <= set(_holds(built))


def test_unchanged_rows_are_checked_in_sums_only(built: AppContext) -> None:
    _spoil(built, UNTOUCHED)
    _check(built)
    failed_checks = _holds(built)
    assert "contract_delivery_status" not in failed_checks
    assert "assert_contacts_and_messages_add_up_by_campaign" in failed_checks
    stages.build_candidate(built)
    _check(built)
    assert {"contract_delivery_status", "keys_of_delivery_status_are_unique"} <= set(_holds(built)), (
        "after a build that failed a check, all rows are looked at"
    )


def _break_every_invariant(warehouse: AppContext) -> None:
    with duckdb.connect(str(warehouse.paths.candidate)) as connection:
        connection.execute(f"use {warehouse.paths.candidate.stem}.marts")
        connection.execute(BREAK_EVERY_INVARIANT)
    with duckdb.connect(str(warehouse.paths.build)) as connection:
        connection.execute("update intermediate.int_messages_resolved set is_sent = false")


def test_every_broken_invariant_blocks_publication(built: AppContext) -> None:
    _break_every_invariant(built)
    results = {result.name: result.detail for result in stages.test_candidate(built).values()}
    assert "total_segments is less than total_sent (" in results["assert_campaign_rates_follow_from_counts"]
    assert "; campaign_id " in results["assert_campaign_rates_follow_from_counts"]
    invariants = {file.stem for file in (DBT_PROJECT / "tests").glob("*.sql")} - WARNINGS
    assert invariants <= set(_holds(built))
    assert not stages.evaluate_gate(built).may_publish


def test_a_refresh_finds_the_failing_rows_that_dbt_test_finds(built: AppContext) -> None:
    _break_every_invariant(built)
    with duckdb.connect(str(built.paths.build)) as connection:
        connection.execute("drop view intermediate.int_orders_converted")  # some tests cannot run
    check_scope.check_all_rows(built.paths)
    candidate = built.ledger.candidate()
    checks = dbt_tests.run_tests(built.settings, built.paths, candidate)
    failing_rows = {name: (check.passed, check.rules[0].failing_rows) for name, check in checks.items()}
    results = run_dbt(built.settings, built.paths, ["test", "--exclude-resource-type", "unit_test"])
    assert failing_rows == {
        result.node.unique_id: (result.status == "pass", result.failures or 0) for result in results
    }
    assert {name for name, check in checks.items() if "does not exist" in check.detail}


def test_all_rows_are_checked_after_an_unchecked_build(built: AppContext) -> None:
    """Killed before the checks: nobody knows whether they would have held."""
    _spoil(built, UNTOUCHED)
    stages.build_candidate(built)
    _check(built)
    assert "contract_delivery_status" in _holds(built)


def test_replaced_and_emptied_files_are_checked(audited: AppContext) -> None:
    """What they held before is kept aside for the build alone: the checks must do without it."""
    before = {file: file.read_bytes() for file in (_file(audited, Log.SENDS), _file(audited, Log.CLICKS))}
    try:
        for file in before:
            file.write_bytes(b"")
        _refresh(audited)
        assert _holds(audited) == []
        assert stages.evaluate_gate(audited).may_publish
    finally:
        for file, content in before.items():
            file.write_bytes(content)


def _file(warehouse: AppContext, log: Log) -> Path:
    """A log file with rows."""
    return next(file.path for file in warehouse.scan_landing().files_of(log) if file.path.suffix == ".jsonl")
