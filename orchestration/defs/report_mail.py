"""The job that mails due reports, and the sensor that starts it. They exist only with SENDMART_REPORT_SUBSCRIPTIONS.

A job of its own, not a step of the refresh: a mail that cannot be sent fails no refresh, and mails are due at times of their own.
It reads the published file only, so that it does not wait for the pool of the warehouse.

Not here: which mails are due, and sending them (`orchestration.stages.report_mail`).
"""

import json
from typing import Any

import dagster as dg

from orchestration.report_mail import mail_reports
from orchestration.resources import WarehouseResource
from orchestration.run_refresh import STARTED_BY
from warehouse.config.settings import load_settings
from warehouse.ledger import now

SENSOR_INTERVAL_SECONDS = 60

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Sends the reports that are due by e-mail, each once. A mail that is not sent is an alert, no failure.",
)
def send_due_mails(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    results = mail_reports(warehouse.open())
    facts: dict[str, Any] = {"mails": len(results)}
    context.add_output_metadata(
        facts | {"results": "\n".join(result.describe() for result in results) or "none is due"}
    )


@dg.job(
    description="Sends the reports of SENDMART_REPORT_SUBSCRIPTIONS that are due. Started by report_mails_due."
    " `sendmart refresh` sends them itself."
)
def report_mails() -> None:
    send_due_mails()


@dg.sensor(
    job=report_mails,
    minimum_interval_seconds=SENSOR_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts report_mails when a report is due: after a publication, and at the times of the subscriptions. Mails"
    " that the mail server did not take are tried again after half an hour, then ever more seldom.",
)
def report_mails_due(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    # Imported here: only the daemon's evaluation needs the pages' queries.
    from orchestration.stages.report_mail import due_report_mails

    due, unclear = due_report_mails(warehouse.open())
    # A mail without a recorded answer may have been sent. The job runs once for it and raises an alert.
    state = json.dumps(sorted(result.describe() for result in unclear))
    is_new = bool(unclear) and state != context.cursor
    if not is_new and not any(mail.try_again_at is None or mail.try_again_at <= now() for mail in due):
        return dg.SkipReason("the mails that failed are tried again later" if due else "no mail is due")
    if context.instance.get_runs(dg.RunsFilter(job_name=report_mails.name, statuses=_UNFINISHED), limit=1):
        return dg.SkipReason("the job is running")
    context.update_cursor(state)
    return dg.RunRequest(tags={STARTED_BY: "report_mails_due"})


@dg.definitions
def report_mail() -> dg.Definitions:
    if load_settings().report_subscriptions is None:
        return dg.Definitions()
    return dg.Definitions(jobs=[report_mails], sensors=[report_mails_due])
