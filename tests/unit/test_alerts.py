"""Alerts: what real receivers get, when and how often, and what no alert contains."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from models.enums import Log
from models.marts import columns, qualified
from orchestration import notifications
from orchestration.notifications import Title
from orchestration.stages import AppContext, late_days
from tests.receivers import SECRET, Receiver, mailbox, webhook
from warehouse.config.settings import PROJECT, Settings, SettingsError, load_settings
from warehouse.landing import LandingZone
from warehouse.landing.completeness import last_due_date
from warehouse.ledger import Alert, Refresh, now

NIGHT = datetime(2026, 1, 6, 3, 30, tzinfo=UTC)
NUMBER = "+447700900123"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook() as server:
        yield server


@pytest.fixture
def warehouse(tmp_path: Path, bare_environment: Path, receiver: Receiver) -> AppContext:
    return _warehouse(tmp_path, receiver.url)


def _warehouse(folder: Path, urls: str | None) -> AppContext:
    return AppContext.of(Settings(data=folder / "data", landing=folder / "landing", alerts=urls))


def _refresh(night: int, outcome: str, message: str = "") -> Refresh:
    started_at = NIGHT + timedelta(days=night)
    return Refresh(started_at, started_at + timedelta(minutes=5), outcome, message)


def _drop(warehouse: AppContext, log: Log, day: date) -> None:
    folder = warehouse.settings.landing / log
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{day}.csv").touch()


# --- refreshes


def test_each_failed_refresh_and_the_first_success_after_it_are_reported(
    warehouse: AppContext, receiver: Receiver
) -> None:
    for night, outcome in enumerate(
        ["published", "failed", "held back", "nothing new", "published", "held back", "published"]
    ):
        notifications.notify_refresh(warehouse, _refresh(night, outcome, "disk-full: no room"))
    assert receiver.titles == [
        "refresh failed", "refresh held back", "refresh recovered", "refresh held back", "refresh recovered",
    ]  # fmt: skip
    first, second, recovered, *_ = [alert["message"] for alert in receiver.alerts]
    assert "The refresh of 2026-01-07 03:30 UTC failed." in first
    assert "disk-full: no room" in first
    assert "since" not in first
    assert "Failing since 2026-01-07 03:30 UTC." in second
    assert "The refresh of 2026-01-09 03:30 UTC succeeded: nothing new." in recovered
    assert "failing since 2026-01-07 03:30 UTC." in recovered
    assert str(warehouse.settings.data) in first
    assert [alert["type"] for alert in receiver.alerts[:3]] == ["failure", "failure", "success"]


@pytest.fixture
def incidents(warehouse: AppContext) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published file with an incident of twilio in GB on two days, which hit one of two campaigns; it is writable."""
    assert warehouse.ledger.last_publication() is None  # creates the ledger, which published files need
    warehouse.paths.published_marts.parent.mkdir(parents=True)
    with duckdb.connect(warehouse.paths.published_marts) as connection:
        connection.execute("create schema marts; create schema insights")
        for mart in ("campaign_metrics", "delivery_status", "delivery_routes", "delivery_incidents"):
            columns_sql = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {qualified(mart)} ({columns_sql})")
        connection.execute("""
            insert into marts.campaign_metrics (campaign_id, campaign_name) values ('c1', 'Sale'), ('c2', 'News'), ('c3', null);
            insert into marts.delivery_status (campaign_id, last_sent_at)
            values ('c1', '2026-01-04 23:59:59'), ('c2', '2026-01-05'), ('c3', '2026-01-06 23:59:59');
            insert into insights.delivery_routes
                (campaign_id, country, provider, soft_bounces, hard_bounces, deleted)
            values ('c1', 'GB', 'twilio', 0, 9, 0), ('c2', 'GB', 'twilio', 1, 1, 0), ('c3', 'GB', 'twilio', 3, 0, 1);
            insert into insights.delivery_incidents
            values ('twilio', 'GB', '2026-01-05', '2026-01-06', 2, 2000, 700, 41.6, 658.4, 0.35, 0.02, 9.5, 'network_error', 3,
                    true),
                ('sinch', null, '2026-01-01', '2026-01-01', 1, 200, 70, 4, 66, 0.35, 0.02, 9.5, 'unknown', 1, false);
        """)
        yield connection


def test_an_open_incident_is_told_once_with_the_campaigns_hit(
    warehouse: AppContext, receiver: Receiver, incidents: duckdb.DuckDBPyConnection
) -> None:
    incidents.close()
    for night in range(3):
        notifications.notify_refresh(warehouse, _refresh(night, "published"))
    assert receiver.titles == ["deliveries fail"]
    message = receiver.alerts[0]["message"]
    assert (
        "twilio, GB, 2026-01-05 to 2026-01-06: 700 of 2,000 messages failed, about 42 would be usual. The most frequent reason"
        " is network_error. Campaigns hit: “c3”; “News”; 1 more" in message
    )
    assert "sinch" not in message


def test_without_insights_no_incident_is_told(
    warehouse: AppContext,
    receiver: Receiver,
    incidents: duckdb.DuckDBPyConnection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    incidents.execute("drop schema insights cascade")
    incidents.close()
    notifications.notify_refresh(warehouse, _refresh(0, "published"))
    assert (receiver.titles, caplog.messages) == ([], [])


def test_a_refresh_that_is_reported_twice_is_one_alert(warehouse: AppContext, receiver: Receiver) -> None:
    """Dagster may repeat a tick of a sensor."""
    for _ in range(2):
        notifications.notify_refresh(warehouse, _refresh(0, "failed"), "run-1")
    assert receiver.titles == ["refresh failed"]
    assert "Dagster run run-1" in receiver.alerts[0]["message"]


def test_phone_numbers_are_masked_and_control_characters_escaped(warehouse: AppContext, receiver: Receiver) -> None:
    notifications.notify_refresh(warehouse, _refresh(0, "failed", f"unexpected: of {NUMBER}\x1b[31m"))
    assert "unexpected: of +44…23\\x1b[31m" in receiver.alerts[0]["message"]


def test_a_long_message_is_cut(warehouse: AppContext, receiver: Receiver) -> None:
    notifications.notify_refresh(warehouse, _refresh(0, "held back", "\n".join(f"hold {n}" for n in range(1000))))
    message = receiver.alerts[0]["message"]
    assert "hold 18\n… and 981 more: sendmart status\n" in message


def test_an_alert_that_cannot_be_sent_is_a_warning_and_is_sent_later(
    warehouse: AppContext, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.is_down = True
    with caplog.at_level(logging.DEBUG):
        notifications.notify_refresh(warehouse, _refresh(0, "failed"))
        notifications.notify_refresh(warehouse, _refresh(1, "failed"))
    assert receiver.alerts == []
    assert "alert 'Sendmart: refresh failed' could not be sent to receiver 1 (JSON)" in caplog.text
    assert SECRET not in "".join(record.getMessage() for record in caplog.records if record.name == "sendmart")
    receiver.is_down = False
    notifications.send_unsent(warehouse)
    notifications.send_unsent(warehouse)
    assert receiver.titles == ["refresh failed", "refresh failed"]


def test_an_alert_that_cannot_be_sent_for_a_week_is_dropped(
    warehouse: AppContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = warehouse.ledger
    for days in (6, 8):
        with monkeypatch.context() as patch:
            patch.setattr("warehouse.ledger.alerts.now", lambda days=days: now() - timedelta(days=days))
            ledger.raise_alert(Alert(Title.RUN_FAILED, f"{days} days ago", f"{days} days ago"), "run", since=now())
    notifications.send_unsent(warehouse)
    assert [alert["message"] for alert in receiver.alerts] == ["6 days ago"]


def test_a_receiver_that_is_down_does_not_stop_the_others_and_no_alert_is_repeated(
    tmp_path: Path, bare_environment: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook() as other:
        other.is_down = True
        warehouse = _warehouse(tmp_path, f"{other.url},{receiver.url}")
        notifications.notify_refresh(warehouse, _refresh(0, "failed"))
        other.is_down = False
        notifications.send_unsent(warehouse)
        assert (receiver.titles, other.titles) == (["refresh failed"], [])
    assert "could not be sent to receiver 1 (JSON)" in caplog.text


def test_a_broken_ledger_does_not_fail_the_alert_s_caller(
    warehouse: AppContext, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.paths.ledger.parent.mkdir(parents=True, exist_ok=True)
    warehouse.paths.ledger.write_text("this is not a database" * 100)
    notifications.notify_refresh(warehouse, _refresh(0, "failed"))
    assert "an alert could not be raised: LedgerDamaged" in caplog.text


def test_nothing_is_recorded_without_receivers(tmp_path: Path, bare_environment: Path) -> None:
    warehouse = _warehouse(tmp_path, None)
    notifications.notify_refresh(warehouse, _refresh(0, "failed"))
    assert warehouse.ledger.unsent_alerts() == []
    assert warehouse.ledger.alarms("refresh") == {}


# --- other runs


def test_runs_are_reported_by_job_and_assets(warehouse: AppContext, receiver: Receiver) -> None:
    def end_run(name: str, run_id: str, failure: str | None) -> None:
        notifications.notify_run(warehouse, name, run_id, failure=failure, started_at=NIGHT)

    end_run("csv_exports", "1", f"exports__campaigns: no room for {NUMBER}")
    end_run("logs/sends", "2", "Exceeded maximum runtime of 10 seconds.")
    end_run("logs/sends", "2", "Exceeded maximum runtime of 10 seconds.")
    end_run("logs/clicks", "3", None)
    end_run("csv_exports", "4", None)
    end_run("csv_exports", "5", None)
    assert receiver.titles == ["exports failed", "run failed", "exports recovered"]
    assert "no room for +44…23" in receiver.alerts[0]["message"]
    assert "logs/sends: failed" in receiver.alerts[1]["message"]
    assert "failing since 2026-01-06 03:30 UTC" in receiver.alerts[2]["message"]


# --- late logs


def test_a_late_log_day_is_reported_once_and_again_when_its_file_has_arrived(
    warehouse: AppContext, receiver: Receiver
) -> None:
    due = last_due_date(now(), warehouse.settings.log_grace_hours)
    before = due - timedelta(days=1)
    for log in (Log.SENDS, Log.CLICKS):
        _drop(warehouse, log, before - timedelta(days=1))
    _drop(warehouse, Log.CLICKS, before)
    _drop(warehouse, Log.CLICKS, due)
    for _ in range(2):
        notifications.notify_late_logs(warehouse, late_days(warehouse))
    assert receiver.titles == ["late logs"]
    assert f"Late log files:\nsends: {before} to {due}\n" in receiver.alerts[0]["message"]
    _drop(warehouse, Log.SENDS, due)
    for _ in range(2):
        notifications.notify_late_logs(warehouse, late_days(warehouse))
    assert receiver.titles == ["late logs", "logs arrived"]
    assert f"that have arrived:\nsends: {due}\nStill late:\nsends: {before}\n" in receiver.alerts[1]["message"]
    (warehouse.settings.landing / "clicks" / f"{due}.csv").unlink()
    notifications.notify_late_logs(warehouse, late_days(warehouse))
    assert receiver.titles == ["late logs", "logs arrived", "late logs"]
    assert f"Late log files:\nclicks: {due}\nStill late:\nsends: {before}\n" in receiver.alerts[2]["message"]


def test_a_day_that_is_too_old_to_wait_for_is_not_reported_as_arrived(
    warehouse: AppContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = last_due_date(now(), warehouse.settings.log_grace_hours)
    _drop(warehouse, Log.SENDS, due - timedelta(days=1))
    notifications.notify_late_logs(warehouse, late_days(warehouse))
    _drop(warehouse, Log.SENDS, due + timedelta(days=1))
    monkeypatch.setattr("warehouse.landing.completeness.LATE_AFTER", timedelta(0))
    notifications.notify_late_logs(warehouse, late_days(warehouse))
    assert receiver.titles == ["late logs"]
    assert warehouse.ledger.alarms("late log") == {}


def test_a_late_log_day_names_the_ignored_file_that_seems_to_be_of_it(
    warehouse: AppContext, receiver: Receiver
) -> None:
    due = last_due_date(now(), warehouse.settings.log_grace_hours)
    _drop(warehouse, Log.CLICKS, due - timedelta(days=1))
    (warehouse.settings.landing / "clicks" / f"{due:%Y%m%d}.csv").touch()
    notifications.notify_late_logs(warehouse, late_days(warehouse))
    name = f"clicks/{due:%Y%m%d}.csv"
    line = f"clicks of {due}: {name} is ignored and seems to be of this day; rename it to clicks/{due}.csv"
    assert f"Late log files:\nclicks: {due}\n{line}\n" in receiver.alerts[0]["message"]


# --- ignored files


def test_an_ignored_file_is_reported_once(warehouse: AppContext, receiver: Receiver) -> None:
    for names in (
        ["README.md"],
        ["README.md"],
        [],
        ["README.md", f"clicks/{NUMBER}/20261121.jsonl", "notes"],
        ["notes"],
    ):
        notifications.notify_ignored_files(warehouse, LandingZone((), tuple(names)))
    assert receiver.titles == ["files ignored", "files ignored"]
    assert "\nREADME.md: not named like a log file" in receiver.alerts[0]["message"]
    message = receiver.alerts[1]["message"]
    assert "README" not in message
    assert "clicks/+44…23/20261121.jsonl: seems to be clicks of 2026-11-21; rename it to clicks/" in message
    assert NUMBER.encode() not in warehouse.paths.ledger.read_bytes()
    notifications.notify_ignored_files(warehouse, LandingZone((), tuple(f"file {number}" for number in range(100))))
    assert "… and 81 more: sendmart status" in receiver.alerts[2]["message"]


# --- conditions


def test_stale_figures_and_failing_triggers_are_reported_once_and_when_they_recover(
    warehouse: AppContext, receiver: Receiver
) -> None:
    stale = {"published/marts": NIGHT}
    for stale_now in (stale, stale, stale | {"exports/campaigns": NIGHT}, stale, {}):
        notifications.notify_stale_figures(warehouse, stale_now)
    assert receiver.titles == ["figures stale", "figures stale", "figures current", "figures current"]
    assert "published/marts" in receiver.alerts[0]["message"]
    assert "exports/campaigns: in order again" in receiver.alerts[2]["message"]
    notifications.notify_triggers(warehouse, {"nightly_refresh": (NIGHT, f"no such thing as {NUMBER}")})
    notifications.notify_triggers(warehouse, {})
    assert receiver.titles[4:] == ["schedule or sensor failed", "schedule or sensor recovered"]
    assert "nightly_refresh: no such thing as +44…23" in receiver.alerts[4]["message"]


# --- the hook


def test_an_e_mail_arrives(tmp_path: Path, bare_environment: Path) -> None:
    with mailbox() as box:
        warehouse = _warehouse(tmp_path, box.alert_url)
        notifications.notify_refresh(warehouse, _refresh(0, "held back", "file-refused: sends/x.csv"))
    (mail,) = box.mails
    assert (mail["Subject"], mail["To"]) == ("Sendmart: refresh held back", "duty@example.com")
    assert "file-refused: sends/x.csv" in mail.get_content()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/TAAAAAAAA/BBBBBBBBB/cccccccccccccccccccccccc",
        "mailtos://user:secret@example.com?to=duty@example.com",
        "jsons://hooks.example.com/secret, json://hooks.example.com/secret json://localhost",
    ],
)
def test_receivers_are_valid_and_never_printed(
    url: str, bare_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SENDMART_ALERTS", url)
    settings = load_settings()
    for shown in (repr(settings), str(settings.alerts), settings.as_json(), settings.model_dump_json()):
        assert "secret" not in shown
        assert "cccc" not in shown


@pytest.mark.parametrize("url", ["a-secret", "nonsense://a-secret", "https://example.com/a-secret", "slack://a-secret"])
def test_an_invalid_receiver_is_one_line_without_the_secret(
    url: str, bare_environment: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SENDMART_ALERTS", url)
    caplog.set_level(logging.DEBUG, logger="apprise")
    with pytest.raises(SettingsError) as error:
        load_settings()
    (line,) = str(error.value).splitlines()
    assert line.startswith("SENDMART_ALERTS: must be URLs that Apprise knows")
    assert "a-secret" not in line + caplog.text


def test_a_test_alert_names_receivers_that_did_not_accept_it(
    tmp_path: Path, bare_environment: Path, receiver: Receiver
) -> None:
    with webhook() as other:
        other.is_down = True
        settings = _warehouse(tmp_path, f"{receiver.url} {other.url}").settings
        assert notifications.send_test(settings) == (2, ["receiver 2 (JSON)"])
    assert receiver.titles == ["test alert"]
    assert receiver.alerts[0]["type"] == "info"


def test_the_page_lists_every_title() -> None:
    document = (PROJECT / "docs" / "alerts.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(Sendmart: [^`]+)` \|", document, flags=re.MULTILINE)
    assert listed == list(Title)
