"""The listings of people: who unsubscribed, which numbers are suppressed, messages after an opt-out, contact pressure.

Not here: what a listing is (`reports.queries.listings.listing`), the history of one contact (`reports.queries.contact`).
"""

from typing import Any

from reports.database import INSIGHTS, MARTS, Published
from reports.queries.listings.delivery import CAMPAIGN, CONTACT, NUMBER
from reports.queries.listings.listing import Choice, Listing, Shown, Sums, words_sql
from reports.words import DELIVERY_STATUSES
from warehouse.duckdb_tools import masked_words

_NAME = f"(select campaign_name from {MARTS}.campaigns as names where names.campaign_id = rows.campaign_id)"

UNSUBSCRIBES = Listing(
    path="/people/unsubscribes",
    title="Unsubscribes",
    noun=("unsubscribe", "unsubscribes"),
    mart="attributed_unsubscribes",
    intro=(
        "Contacts who opted out, and the campaign that each opt-out counts for: the last one sent to the contact before.",
    ),
    empty="Nobody unsubscribed.",
    notes=("An unsubscribe without a campaign came from a contact to whom no message had been sent before.",),
    rows="select *, epoch_ms(unsubscribed_at - sent_at) as after_ms,"
    f" coalesce({masked_words('source')}, 'not known') as source_known from {MARTS}.attributed_unsubscribes",
    columns=(
        CONTACT,
        Shown("unsubscribed_at", "Unsubscribed", "moment"),
        Shown("source", "How"),
        CAMPAIGN,
        Shown("sent_at", "Message sent", "moment"),
        Shown("after_ms", "Time after the message", "duration"),
    ),
    order=("unsubscribed_at", True),
    key=("contact_id", "unsubscribed_at"),
    time="unsubscribed_at",
    time_label="Unsubscribed",
    finds_contacts=True,
    search_label="Contact ID or campaign",
    choices=(Choice("how", "How", "source_known"),),
    totals=(
        (Shown("unsubscribes", "Unsubscribes", "count"), "count(*)"),
        (Shown("contacts", "Contacts", "count"), "count(distinct contact_id)"),
        (Shown("campaigns", "Campaigns", "count"), "count(distinct campaign_id)"),
        (Shown("none", "Without a campaign", "count"), "count(*) filter (campaign_id is null)"),
    ),
    sums=(
        Sums(
            "By campaign",
            "Campaign",
            "campaign",
            "campaign_id",
            "coalesce(campaign_name, campaign_id, 'No campaign')",
            ((Shown("unsubscribes", "Unsubscribes", "count"), "count(*)"),),
            kind="soft_bounce",
        ),
        Sums(
            "How they unsubscribed",
            "How",
            "how",
            "source_known",
            "source_known",
            ((Shown("unsubscribes", "Unsubscribes", "count"), "count(*)"),),
            kind="soft_bounce",
        ),
    ),
    charted="unsubscribed_at",
)

SUPPRESSED = Listing(
    path="/people/suppressed",
    title="Suppressed numbers",
    noun=("suppressed number", "suppressed numbers"),
    mart="suppressed_numbers",
    intro=(),
    empty="No number is suppressed.",
    rows=f"select *, {_NAME} as campaign_name from {MARTS}.suppressed_numbers as rows",
    columns=(
        NUMBER,
        CONTACT,
        Shown("suppressed_at", "Suppressed since", "moment"),
        Shown("campaign_name", "Campaign of the last hard bounce", "campaign"),
    ),
    order=("suppressed_at", True),
    key=("message_id",),
    time="suppressed_at",
    time_label="Suppressed",
    finds_contacts=True,
    search_label="Contact or campaign",
    charted="suppressed_at",
    template="suppressed.html",
)

OPT_OUTS = Listing(
    path="/people/after-opt-out",
    title="Messages after an opt-out",
    noun=("message", "messages"),
    mart="sent_after_opt_out",
    intro=(
        "Messages that were sent to a contact who had unsubscribed before. In most countries they break the law: look at each"
        " of them.",
    ),
    empty="No message was sent to a contact after an unsubscribe.",
    notes=("A contact may have subscribed again in the meantime; the logs do not say so.",),
    rows=f"select *, {_NAME} as campaign_name,"
    f" {words_sql('delivery_status', DELIVERY_STATUSES, 'Unknown')} as status_words"
    f" from {INSIGHTS}.sent_after_opt_out as rows",
    columns=(
        CONTACT,
        Shown("unsubscribed_at", "Unsubscribed", "moment"),
        Shown("sent_at", "Message sent", "moment"),
        Shown("after_ms", "Time after the opt-out", "duration"),
        CAMPAIGN,
        Shown("status_words", "Status"),
    ),
    order=("sent_at", True),
    key=("message_id",),
    time="sent_at",
    time_label="Sent",
    finds_contacts=True,
    search_label="Contact ID or campaign",
    choices=(Choice("status", "Status", "delivery_status", "status_words"),),
    totals=(
        (Shown("messages", "Messages after an opt-out", "count"), "count(*)"),
        (Shown("delivered", "Of these delivered", "count"), "count(*) filter (delivery_status = 'delivered')"),
        (Shown("contacts", "Contacts", "count"), "count(distinct contact_id)"),
    ),
    sums=(
        Sums(
            "By campaign",
            "Campaign",
            "campaign",
            "campaign_id",
            "coalesce(campaign_name, campaign_id)",
            ((Shown("messages", "Messages", "count"), "count(*)"),),
            kind="hard_bounce",
        ),
    ),
    charted="sent_at",
)

PRESSURE = Listing(
    path="/people/pressure",
    title="Contact pressure",
    noun=("group of messages", "groups of messages"),
    mart="contact_pressure",
    intro=(
        "Do more messages tire people? Messages are grouped by how many others the contact got in the seven days before.",
    ),
    empty="No message is old enough: three days after it was sent, most clicks and opt-outs are known.",
    notes=(
        "Only messages that were sent three days or more before the end of the data. Clicks are those of people, within three"
        " days.",
        "The range is the 95 % interval of the unsubscribe rate (Wilson). Where two ranges overlap, the difference may be"
        " chance.",
    ),
    rows=f"select *, coalesce(campaign_type, 'Unknown') as type,"
    f" if(messages_before = 7, '7 or more', messages_before::varchar) as before_words,"
    f" 1000 * unsubscribe_rate as unsubscribes_per_1000, 1000 * unsubscribe_low as low_per_1000,"
    f" 1000 * unsubscribe_high as high_per_1000 from {INSIGHTS}.contact_pressure",
    columns=(
        Shown("type", "Type"),
        Shown("before_words", "Messages in the 7 days before"),
        Shown("messages", "Messages", "count"),
        Shown("delivered", "Delivered", "count"),
        Shown("clicking", "With a click", "count"),
        Shown("click_rate", "Click rate", "rate", "Messages with a click of a person / delivered."),
        Shown("unsubscribes", "Unsubscribes", "count"),
        Shown("unsubscribes_per_1000", "Per 1000 delivered", "per_thousand"),
        Shown("low_per_1000", "Lowest likely", "per_thousand", "Lower end of the 95 % interval."),
        Shown("high_per_1000", "Highest likely", "per_thousand", "Upper end of the 95 % interval."),
        Shown("direct_orders", "Direct orders", "count"),
        Shown("revenue", "Revenue", "money"),
        Shown("revenue_per_delivered", "Revenue per delivered", "amount"),
        Shown("cost", "Cost", "cost"),
    ),
    order=("before_words", False),
    key=("type",),
    choices=(Choice("type", "Type", "type"),),
    has_campaigns=False,
    template="pressure.html",
)


def what_if(published: Published) -> list[dict[str, Any]]:
    """By the number of hard bounces that suppress a number: what would not have been sent. Empty without the insights."""
    if not published.has("insights", "suppression_what_if"):
        return []
    return published.rows(f"select * from {INSIGHTS}.suppression_what_if order by hard_bounces")
