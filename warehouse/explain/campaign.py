"""Explains a campaign: its figures, and the messages, clicks, orders and unsubscribes behind them.

Not here: how the figures are computed (`dbt_project/models/marts/`).
"""

from models.enums import Log
from warehouse.explain.evidence import CAME_IN, Evidence
from warehouse.explain.explanation import Explanation

_CAMPAIGN_FIGURES = """
    select last_sent_at, total_sent,
        (select count(*) from messages where campaign_id = $key and not is_sent) as total_skipped,
        total_segments, total_delivered, metrics.campaign_name, campaign_type, last_modified_by, unique_sends,
        unique_deliveries, pending, soft_bounces, hard_bounces, deleted, total_clicks, unique_clickers, direct_orders,
        assisted_orders, metrics.revenue, assisted_revenue, metrics.unsubscribes, click_to_delivered_rate,
        conversion_rate
    from candidate.marts.campaign_metrics as metrics
    join candidate.marts.campaign_overview as overview using (campaign_id)
    where campaign_id = $key"""


def explain_campaign(evidence: Evidence, explanation: Explanation) -> bool:
    """Fills an explanation; false if no row of the lake has the id."""
    key = explanation.parameters
    has_edits = evidence.add_list(
        explanation,
        "Edits in the campaigns log",
        "from campaigns_rows order by row_rank",
        f"campaign_name, campaign_type, modified_by, modified_at, {CAME_IN}",
    )
    figures = evidence.records(_CAMPAIGN_FIGURES, key)
    if figures:
        explanation.conclusion = figures[0]
    elif has_edits or evidence.records("from clicks where campaign_id = $key limit 1", key):
        explanation.rules.append("The campaign is not in the sends log: it has no row in campaign_metrics")
    else:
        return False
    if has_edits:
        explanation.rules.append("Name, type and editor: " + evidence.kept_row(Log.CAMPAIGNS))
    denominator = evidence.settings.conversion_rate_denominator
    explanation.rules += [
        "Messages count once by message_id; a contact counts as delivered if any message was delivered, else by its last message",
        f"click_to_delivered_rate = unique_clickers / total_delivered; conversion_rate = direct_orders / {denominator}",
        f"Orders: those of its clickers in the {evidence.settings.conversion_window_hours} hours after a click; revenue in"
        f" {evidence.settings.reporting_currency}",
        "Unsubscribes: contacts whose last message before they unsubscribed was of this campaign",
    ]
    for title, relation, columns in (
        (
            "Messages by file",
            "messages",
            "source_file, count(*) filter (is_sent) as sent, count(*) filter (not is_sent) as skipped",
        ),
        ("Messages by status", "messages", "coalesce(delivery_status, skip_reason) as status, count(*) as messages"),
        ("Contacts by status", "candidate.marts.delivery_status", "delivery_status, count(*) as contacts"),
        ("Clicks by file", "clicks", "source_file, count(*) as clicks"),
    ):
        groups = f"select {columns} from {relation} where campaign_id = $key group by all"
        evidence.add_list(explanation, title, f"from ({groups}) order by all", "*", key)
    evidence.add_list(
        explanation,
        "Orders credited",
        "from credited_clicks where campaign_id = $key order by ordered_at desc, order_id",
        "order_id, attribution, contact_id, ordered_at, clicked_at, click_id, revenue",
        key,
    )
    evidence.add_list(
        explanation,
        "Unsubscribes attributed",
        "from unsubscribes where campaign_id = $key order by unsubscribed_at desc, contact_id",
        f"contact_id, unsubscribed_at, message_id, sent_at, {CAME_IN}",
        key,
    )
    evidence.add_published(explanation, "campaign_metrics", "campaign_id")
    evidence.add_published(explanation, "campaign_overview", "campaign_id")
    return True
