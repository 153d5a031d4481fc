"""Reports by e-mail in the command line and in Dagster: due mails of a really published build, to a real mail server."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.defs import report_mail
from orchestration.defs.report_mail import report_mails, report_mails_due
from orchestration.resources import WarehouseResource
from orchestration.stages import report_mail as stage
from tests.processes import run_command_line
from tests.receivers import Mailbox, mailbox
from tests.running import RefreshedWarehouse, environment
from warehouse.config.settings import PREFIX, load_settings
from warehouse.ledger import Ledger, MailState


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as server:
        yield server


@pytest.fixture
def variables(refreshed_insights: RefreshedWarehouse, tmp_path: Path, box: Mailbox) -> dict[str, str]:
    """The environment of a copy of a refreshed warehouse, with a subscription to each build."""
    data = tmp_path / "data"
    shutil.copytree(refreshed_insights.warehouse.settings.data, data)
    file = tmp_path / "subscriptions.toml"
    file.write_text(
        '[[subscription]]\nname = "Builds"\nto = ["ana@example.com", "bo@example.com"]\nevery = "publication"\n'
    )
    return refreshed_insights.environment | {
        f"{PREFIX}DATA": str(data),
        f"{PREFIX}REPORT_SUBSCRIPTIONS": str(file),
        f"{PREFIX}SMTP_URL": f"smtp://127.0.0.1:{box.port}?tls=no",
        f"{PREFIX}SMTP_FROM": "sendmart@example.com",
    }


def test_a_refresh_mails_what_is_due_and_the_command_sends_tests_and_mails_again(
    variables: dict[str, str], box: Mailbox
) -> None:
    refresh = run_command_line(variables, ("refresh",))
    assert refresh.returncode == 0, refresh.stdout + refresh.stderr
    assert box.recipients == ["ana@example.com", "bo@example.com"]
    assert "Builds (" in refresh.stdout
    assert "to bo@example.com: sent" in refresh.stdout
    for arguments, printed, exit_code in [
        (("report-mail",), "No mail is due", 0),
        (("report-mail", "--test", "me@example.com"), "to me@example.com: sent", 0),
        (("report-mail", "--test", "me"), "--test: 'me' is no e-mail address", 2),
        (("report-mail", "--again"), "--again needs the name of a subscription", 2),
        (("report-mail", "Sales"), "No such subscription: Sales. Subscriptions: Builds", 2),
        (("report-mail", "Builds", "--again"), "to ana@example.com: sent", 0),
    ]:
        run = run_command_line(variables, arguments)
        assert (run.returncode, printed in run.stdout + run.stderr) == (exit_code, True), run.stdout + run.stderr
    assert box.recipients[2:] == ["me@example.com", "ana@example.com", "bo@example.com"]
    run = run_command_line(
        variables | {f"{PREFIX}SMTP_URL": "smtp://127.0.0.1:1?tls=no"}, ("report-mail", "--test", "a@b.example")
    )
    assert (run.returncode, run.stderr.strip().endswith("not sent: 127.0.0.1, port 1: Connection refused")) == (1, True)
    run = run_command_line({**variables, f"{PREFIX}REPORT_SUBSCRIPTIONS": ""}, ("report-mail",))
    assert (run.returncode, "SENDMART_REPORT_SUBSCRIPTIONS is not set" in run.stderr) == (2, True)


def test_figures_of_a_mail_are_those_of_the_marts(variables: dict[str, str], box: Mailbox) -> None:
    with environment(variables):
        published = load_settings().data / "published" / "sendmart.duckdb"
    assert run_command_line(variables, ("report-mail",)).returncode == 0
    with duckdb.connect(published, read_only=True) as connection:
        sums = connection.execute("""
            select count(*), sum(total_sent)::bigint, sum(unsubscribes)::bigint, sum(revenue) from marts.campaign_metrics
        """).fetchone()
        week = connection.execute("""
            select sum(messages)::bigint, sum(delivered)::bigint, sum(revenue)
            from insights.daily_totals, marts.build_info
            where clock = 'event' and day between data_until - 6 and data_until
        """).fetchone()
    assert sums and week
    text = box.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]  # every mail has the part
    lines = [line.strip() for line in text.splitlines()]
    assert {f"Total sent: {sums[1]:,}", f"Unsubscribes: {sums[2]:,}", f"Revenue: {sums[3]:,.2f}"} <= set(lines)
    for begin in (
        f"Messages: {week[0] or 0:,} (",
        f"Delivered: {week[1] or 0:,} (",
        f"Revenue: USD {week[2] or 0:,.2f} (",
    ):
        assert any(line.startswith(begin) for line in lines), begin
    assert any(line.endswith(f" with {sums[0]} campaigns.") for line in lines)


def test_dagster_starts_the_job_when_a_mail_is_due_and_tries_again_after_half_an_hour(
    variables: dict[str, str], box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.refused_recipients = {"bo@example.com"}
    with environment(variables), dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, resources={"warehouse": WarehouseResource()})
        assert isinstance(report_mails_due(context), dg.RunRequest)
        run = report_mails.execute_in_process(instance=instance, resources={"warehouse": WarehouseResource()})
        assert (run.success, box.recipients) == (True, ["ana@example.com"])
        skipped = report_mails_due(context)
        assert isinstance(skipped, dg.SkipReason)
        assert skipped.skip_message == "the mails that failed are tried again later"
        monkeypatch.setattr(stage, "FIRST_RETRY_AFTER", timedelta(0))
        assert isinstance(report_mails_due(context), dg.RunRequest)
        # One that is running is not joined by another one.
        running = instance.create_run_for_job(report_mails, status=dg.DagsterRunStatus.STARTED)
        assert isinstance(report_mails_due(context), dg.SkipReason)
        instance.report_run_canceled(running)
        # A mail that may have been sent starts the job once, for its alert.
        ledger = Ledger(load_settings().data / "ledger.sqlite")
        (mail,) = [mail for mail in ledger.report_mails("Builds") if mail.recipient == "bo@example.com"]
        ledger.record_mail(mail.subscription, mail.occasion, mail.recipient, MailState.SENDING, "it broke")
        assert isinstance(report_mails_due(context), dg.RunRequest)
        skipped = report_mails_due(context)
        assert isinstance(skipped, dg.SkipReason)
        assert skipped.skip_message == "no mail is due"


def test_job_and_sensor_exist_where_somebody_gets_mails(variables: dict[str, str]) -> None:
    with environment(variables):
        definitions = report_mail.report_mail()
    assert [job.name for job in definitions.jobs or ()] == ["report_mails"]
    (sensor,) = definitions.sensors or ()
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING  # type: ignore[union-attr]
    with environment({**variables, f"{PREFIX}REPORT_SUBSCRIPTIONS": ""}):
        assert not report_mail.report_mail().jobs
