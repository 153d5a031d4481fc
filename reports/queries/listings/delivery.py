"""The listings of delivery: why messages failed, by which way they went, days of many failures, contacts that were skipped.

Not here: what a listing is (`reports.queries.listings.listing`).
"""

from reports.database import INSIGHTS, MARTS, Published, Row
from reports.queries.listings.listing import NONE, Choice, Listing, Shown, Sums, words_sql
from reports.words import COUNTRIES, DELIVERY_STATUSES, FAILURE_REASONS, SKIP_REASONS
from warehouse.duckdb_tools import masked_words

CAMPAIGN = Shown("campaign_name", "Campaign", "campaign")
CONTACT = Shown("contact_id", "Contact", "contact")
NUMBER = Shown("mobile_number", "Number", "number")
LAST_SENT = "Campaigns last sent"

_COUNTRY = words_sql("country", COUNTRIES, "Unknown country")
_PROVIDER = f"coalesce({masked_words('provider')}, 'Unknown provider') as provider_words"
_PROVIDER_CODE = f"coalesce({masked_words('provider')}, '{NONE}') as provider_code"


def with_campaigns(mart: str, columns: str = "") -> str:
    """The rows of a mart of campaigns, with the name of the campaign and when it was last sent."""
    return (
        f"select rows.*, coalesce(metrics.campaign_name, rows.campaign_id) as campaign_name, metrics.last_sent_at{columns}"
        f" from {mart} as rows left join {MARTS}.campaign_metrics as metrics on rows.campaign_id = metrics.campaign_id"
    )


_MESSAGES = Shown("messages", "Messages", "count")
_CAMPAIGNS = Shown("campaigns", "Campaigns", "count", "Campaigns with such a message.")
_COST = Shown("cost", "Cost", "cost", "Cost of those whose cost is known, in the currency of the reports.")
_SHARE = Shown("share", "Share", "rate", "Share of the failed messages on this page.")

FAILURES = Listing(
    path="/delivery/failures",
    title="Failed messages",
    noun=("code of a provider", "codes of providers"),
    mart="delivery_failures",
    intro=(
        "Why messages did not arrive, over all campaigns. A message counts by its final answer from the provider.",
        "Each provider has codes of its own. Here they are one list of reasons, each with what to do about it.",
    ),
    empty="No message failed.",
    notes=(
        "A permanent failure will fail again: leave these contacts out, or correct their numbers.",
        "Costs are of messages whose cost is known. A share is of all failed messages that the filters leave.",
    ),
    rows=with_campaigns(
        f"{INSIGHTS}.delivery_failures",
        f", (select sum(messages) from {INSIGHTS}.delivery_routes as routes where routes.campaign_id = rows.campaign_id) as sent"
        f", {words_sql('reason', FAILURE_REASONS, 'Unknown')} as reason_words"
        f", {words_sql('delivery_status', DELIVERY_STATUSES, 'Unknown')} as status_words, {_PROVIDER_CODE}",
    ),
    summed="select reason_words, provider, provider_status, error_code, status_words, reason, delivery_status,"
    " bool_or(is_permanent) as is_permanent, any_value(advice) as advice, sum(messages)::bigint as messages,"
    " sum(messages) / sum(sum(messages)) over () as share, count(distinct campaign_id) as campaigns, sum(cost) as cost,"
    " max(last_status_at) as last_status_at from {rows} group by all",
    columns=(
        Shown("reason_words", "Reason", "long_text", note=Shown("advice", "What to do", "long_text")),
        _MESSAGES,
        _SHARE,
        Shown("status_words", "Status"),
        Shown("provider", "Provider"),
        Shown("provider_status", "Provider's status", "code"),
        Shown("error_code", "Error code"),
        _CAMPAIGNS,
        _COST,
        Shown("is_permanent", "Permanent", "yes_no", "Another message would fail as well."),
        Shown("last_status_at", "Last failure", "moment"),
    ),
    order=("messages", True),
    key=("reason_words", "provider", "provider_status", "error_code", "delivery_status"),
    time="last_sent_at",
    time_label=LAST_SENT,
    searched=("reason_words", "provider", "provider_status", "error_code", "advice", "status_words"),
    search_label="Reason, provider, code or campaign",
    choices=(
        Choice("reason", "Reason", "reason", "reason_words"),
        Choice("provider", "Provider", "provider_code"),
        Choice("status", "Status", "delivery_status", "status_words"),
    ),
    totals=(
        (Shown("messages", "Failed messages", "count"), "sum(messages)::bigint"),
        (
            Shown("permanent", "Of these permanent", "rate"),
            "sum(messages) filter (is_permanent)::bigint / sum(messages)",
        ),
        (Shown("cost", "Cost of failed messages", "cost"), "sum(cost)"),
        (Shown("campaigns", "Campaigns", "count"), "count(distinct campaign_id)"),
    ),
    sums=(
        Sums(
            "By reason",
            "Reason",
            "reason",
            "reason",
            "reason_words",
            (
                (_MESSAGES, "sum(messages)::bigint"),
                (_SHARE, "sum(messages) / sum(sum(messages)) over ()"),
                (_COST, "sum(cost)"),
            ),
            note="arg_max(advice, messages)",
            kind="hard_bounce",
            most=len(FAILURE_REASONS),
        ),
        Sums(
            "By campaign",
            "Campaign",
            "campaign",
            "campaign_id",
            "campaign_name",
            (
                (_MESSAGES, "sum(messages)::bigint"),
                (Shown("failure_rate", "Failure rate", "rate"), "sum(messages)::bigint / any_value(sent)"),
                (_COST, "sum(cost)"),
            ),
            kind="hard_bounce",
        ),
    ),
    template="failures.html",
)


_SHARE_OF_TIMED = "sum(within_{0})::bigint / nullif(sum(timed), 0)"

ROUTES = Listing(
    path="/delivery/routes",
    title="Routes",
    noun=("route", "routes"),
    mart="delivery_routes",
    intro=("How well and how fast messages arrive, by the country of the number and the provider that carried them.",),
    empty="No message was sent.",
    notes=(
        "Shares of messages delivered within a time add up over campaigns. Percentiles do not: choose one campaign to see its"
        " median, 90th and 99th percentile.",
        "Times are over delivered messages whose receipt is not earlier than the message.",
    ),
    rows=with_campaigns(
        f"{INSIGHTS}.delivery_routes",
        f", {_COUNTRY} as country_words, coalesce(country, '{NONE}') as country_code, {_PROVIDER}, {_PROVIDER_CODE}",
    ),
    summed="select country_code, country_words, provider_code, provider_words, sum(messages)::bigint as messages,"
    " sum(delivered)::bigint as delivered, sum(delivered)::bigint / sum(messages) as delivery_rate,"
    " sum(soft_bounces + hard_bounces + deleted)::bigint as failed, sum(pending)::bigint as pending,"
    " sum(without_receipt)::bigint as without_receipt,"
    + "".join(f" {_SHARE_OF_TIMED.format(name)} as within_{name}," for name in ("10_s", "60_s", "1_h"))
    + " sum(cost) as cost, count(distinct campaign_id) as campaigns, any_value(p50_ms) as p50_ms,"
    " any_value(p90_ms) as p90_ms, any_value(p99_ms) as p99_ms from {rows} group by all",
    columns=(
        Shown("country_words", "Country"),
        Shown("provider_words", "Provider"),
        _MESSAGES,
        Shown("delivered", "Delivered", "count"),
        Shown("delivery_rate", "Delivery rate", "rate", "Delivered messages / messages."),
        Shown("failed", "Failed", "count"),
        Shown("pending", "Pending", "count"),
        Shown("without_receipt", "No receipt", "count", "Messages for which the provider never sent a receipt."),
        Shown("within_10_s", "Within 10 s", "rate", "Of the delivered messages with a time of delivery."),
        Shown("within_60_s", "Within 1 min", "rate"),
        Shown("within_1_h", "Within 1 h", "rate"),
        _COST,
        _CAMPAIGNS,
    ),
    campaign_columns=(
        Shown("p50_ms", "Median time", "duration", unit="s"),
        Shown("p90_ms", "90th percentile", "duration", unit="s"),
        Shown("p99_ms", "99th percentile", "duration", unit="s"),
    ),
    order=("messages", True),
    key=("country_words", "provider_words", "country_code", "provider_code"),
    time="last_sent_at",
    time_label=LAST_SENT,
    searched=("country_words", "provider_words"),
    search_label="Country, provider or campaign",
    choices=(
        Choice("country", "Country", "country_code", "country_words"),
        Choice("provider", "Provider", "provider_code", "provider_words"),
    ),
    totals=(
        (Shown("messages", "Messages", "count"), "sum(messages)::bigint"),
        (Shown("delivery_rate", "Delivery rate", "rate"), "sum(delivered)::bigint / sum(messages)"),
        (Shown("failed", "Failed", "count"), "sum(soft_bounces + hard_bounces + deleted)::bigint"),
        (Shown("within_60_s", "Delivered within a minute", "rate"), _SHARE_OF_TIMED.format("60_s")),
    ),
    sums=(
        Sums(
            "By country",
            "Country",
            "country",
            "country_code",
            "country_words",
            (
                (_MESSAGES, "sum(messages)::bigint"),
                (Shown("delivery_rate", "Delivery rate", "rate"), "sum(delivered)::bigint / sum(messages)"),
            ),
        ),
        Sums(
            "By campaign",
            "Campaign",
            "campaign",
            "campaign_id",
            "campaign_name",
            (
                (_MESSAGES, "sum(messages)::bigint"),
                (Shown("delivery_rate", "Delivery rate", "rate"), "sum(delivered)::bigint / sum(messages)"),
            ),
        ),
    ),
)

INCIDENTS = Listing(
    path="/delivery/incidents",
    title="Delivery incidents",
    noun=("incident", "incidents"),
    mart="delivery_incidents",
    intro=(
        "Days on which a provider failed in a country far more often than in the 28 days before.",
        "A day counts once it is three days old: until then, many messages have no final answer yet.",
    ),
    empty="No provider failed far more often than usual on any day.",
    notes=(
        "A day is an incident if at least 100 messages were sent, the failure rate is at least 3 points above that of the 28"
        " days before, and chance is no explanation (4 standard errors). Days are in UTC.",
        "Campaigns are those with messages over this route on these days; those with the most failures on the route come first.",
    ),
    rows=f"select *, {_COUNTRY} as country_words, coalesce(country, '{NONE}') as country_code,"
    f" {words_sql('top_reason', FAILURE_REASONS, 'Unknown')} as reason_words,"
    f" if(is_open, 'May go on', 'Over') as state, {_PROVIDER_CODE} from {INSIGHTS}.delivery_incidents",
    columns=(
        Shown("first_day", "First day", "day"),
        Shown("last_day", "Last day", "day"),
        Shown("provider", "Provider"),
        Shown("country_words", "Country"),
        Shown("state", "State", "text", "May go on: its last day is the last that can be judged."),
        Shown("reason_words", "Main reason", "long_text"),
        _MESSAGES,
        Shown("failed", "Failed", "count"),
        Shown("expected_failed", "Expected", "count", "Failures at the rate of the 28 days before."),
        Shown("failure_rate", "Failure rate", "rate"),
        Shown("baseline_rate", "Before", "rate", "The failure rate of the 28 days before the first day."),
        Shown("campaigns", "Campaigns", "count"),
    ),
    order=("first_day", True),
    key=("provider", "country_words", "country_code"),
    time="first_day",
    time_label="Began",
    searched=("provider", "country_words", "reason_words"),
    search_label="Provider, country or reason",
    choices=(
        Choice("provider", "Provider", "provider_code"),
        Choice("country", "Country", "country_code", "country_words"),
        Choice("state", "State", "state"),
    ),
    totals=(
        (Shown("incidents", "Incidents", "count"), "count(*)"),
        (Shown("open", "That may go on", "count"), "count(*) filter (is_open)"),
        (Shown("excess", "Failures above the usual", "count"), "sum(excess_failed)"),
    ),
    has_campaigns=False,
    template="incidents.html",
)

MOST_CAMPAIGNS = 20


def campaigns_of_incidents(published: Published, incidents: list[Row]) -> dict[tuple[object, ...], list[Row]]:
    """By provider, country and first day: the campaigns with the most failures, of those sent over the route on these days."""
    if not incidents:
        return {}
    days = [(row["provider"], row["country"], row["first_day"]) for row in incidents]
    rows = published.rows(
        f"""
        with incidents as (
            select * from {INSIGHTS}.delivery_incidents
            where list_contains($first_days, first_day)
        ),
        sent as (
            select campaign_id, last_sent_at::date as day from {MARTS}.delivery_status
            where last_sent_at >= (select min(first_day) from incidents)
            and last_sent_at < (select max(last_day) + 1 from incidents)
            group by all
        ),
        failed as (
            select incidents.provider, incidents.country, incidents.first_day, routes.campaign_id,
                any_value(coalesce(metrics.campaign_name, routes.campaign_id)) as campaign_name,
                any_value(routes.soft_bounces + routes.hard_bounces + routes.deleted) as failed
            from incidents
            join {INSIGHTS}.delivery_routes as routes on incidents.provider is not distinct from routes.provider
                and incidents.country is not distinct from routes.country
            join sent on routes.campaign_id = sent.campaign_id
                and sent.day between incidents.first_day and incidents.last_day
            join {MARTS}.campaign_metrics as metrics on routes.campaign_id = metrics.campaign_id
            group by incidents.provider, incidents.country, incidents.first_day, routes.campaign_id
        )
        select * from failed
        qualify row_number() over (partition by provider, country, first_day order by failed desc, campaign_id)
            <= {MOST_CAMPAIGNS}
        order by failed desc, campaign_id
        """,
        {"first_days": sorted({row["first_day"] for row in incidents})},
    )
    found: dict[tuple[object, ...], list[Row]] = {day: [] for day in days}
    for row in rows:
        found.setdefault((row["provider"], row["country"], row["first_day"]), []).append(row)
    return found


SKIPPED = Listing(
    path="/delivery/skipped",
    title="Skipped messages",
    noun=("skipped message", "skipped messages"),
    mart="skip_reasons",
    intro=(
        "Messages that were not sent, and why. A skipped message costs nothing, and no figure of a campaign includes it.",
    ),
    empty="No message was skipped.",
    rows=f"select *, {words_sql('skip_reason', SKIP_REASONS, 'Not known')} as reason_words from {MARTS}.skip_reasons",
    columns=(
        CONTACT,
        NUMBER,
        CAMPAIGN,
        Shown("reason_words", "Reason", "long_text", note=Shown("skip_reason_details", "Details", "long_text")),
        Shown("skipped_at", "Skipped at", "moment"),
    ),
    order=("skipped_at", True),
    key=("campaign_id", "message_id"),
    time="skipped_at",
    time_label="Skipped",
    finds_contacts=True,
    search_label="Contact or campaign",
    choices=(Choice("reason", "Reason", "skip_reason", "reason_words"),),
    totals=(
        (Shown("messages", "Skipped messages", "count"), "count(*)"),
        (Shown("campaigns", "Campaigns", "count"), "count(distinct campaign_id)"),
    ),
    sums=(
        Sums(
            "By reason",
            "Reason",
            "reason",
            "skip_reason",
            "reason_words",
            ((Shown("messages", "Skipped", "count"), "count(*)"),),
            note="any_value(skip_reason_details)",
            kind="skipped",
        ),
        Sums(
            "By campaign",
            "Campaign",
            "campaign",
            "campaign_id",
            "coalesce(campaign_name, campaign_id)",
            ((Shown("messages", "Skipped", "count"), "count(*)"),),
            kind="skipped",
        ),
    ),
    charted="skipped_at",
)
