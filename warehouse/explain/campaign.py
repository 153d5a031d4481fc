"""Explains a campaign: its figures, and the messages, clicks, orders and unsubscribes behind them.

Not here: how the figures are computed (`dbt_project/models/marts/`).
"""

from models.enums import Log
from warehouse.explain.explanation import Queries, came_in

_FIGURES = """
    select last_sent_at, total_sent,
        (select count(*) from messages where campaign_id = $key and not is_sent) as total_skipped,
        total_segments, total_delivered, metrics.campaign_name, campaign_type, last_modified_by, unique_sends,
        unique_deliveries, pending, soft_bounces, hard_bounces, deleted, total_clicks, unique_clickers, direct_orders,
        assisted_orders, metrics.revenue, assisted_revenue, metrics.unsubscribes, click_to_delivered_rate,
        conversion_rate
    from candidate.marts.campaign_metrics as metrics
    join candidate.marts.campaign_overview as overview using (campaign_id)
    where campaign_id = $key"""

_COUNTS = (
    (
        "Messages by file",
        "messages",
        "'sends/' || source_file as file, count_if(is_sent) as sent, count_if(not is_sent) as skipped",
    ),
    ("Messages by status", "messages", "coalesce(delivery_status, skip_reason) as status, count(*) as messages"),
    ("Contacts by status", "candidate.marts.delivery_status", "delivery_status, count(*) as contacts"),
    ("Clicks by file", "clicks", "'clicks/' || source_file as file, count(*) as clicks"),
)
"""The title, relation and columns of each list of counts."""


def explain_campaign(queries: Queries) -> bool:
    columns = f"campaign_name, campaign_type, modified_by, modified_at, {came_in(Log.CAMPAIGNS)}"
    has_edits = queries.add_list("Edits in the campaigns log", columns, "from campaigns_rows order by row_rank")
    if figures := queries.records(_FIGURES):
        (queries.explanation.conclusion,) = figures
    elif has_edits or queries.records("from clicks where campaign_id = $key limit 1"):
        queries.add_rules("The campaign is not in the sends log: it has no row in campaign_metrics")
    else:
        return False
    if has_edits:
        queries.add_rules("Name, type and editor: " + queries.kept_row(Log.CAMPAIGNS))
    settings = queries.settings
    queries.add_rules(
        "Messages count once by message_id; a contact counts as delivered if any message was delivered, else by its last message",
        "click_to_delivered_rate = unique_clickers / total_delivered;"
        f" conversion_rate = direct_orders / {settings.conversion_rate_denominator}",
        f"Orders: those of its clickers in the {settings.conversion_window_hours} hours after a click; revenue in"
        f" {settings.reporting_currency}",
        "Unsubscribes: contacts whose last message before they unsubscribed was of this campaign",
    )
    queries.add_rule_about_bots()
    for title, relation, columns in _COUNTS:
        groups = f"select {columns} from {relation} where campaign_id = $key group by all"
        queries.add_list(title, "*", f"from ({groups}) order by all")
    queries.add_list(
        "Orders credited",
        "order_id, attribution, contact_id, ordered_at, clicked_at, click_id, revenue",
        "from credited_clicks where campaign_id = $key order by ordered_at desc, order_id",
    )
    queries.add_list(
        "Unsubscribes attributed",
        f"contact_id, unsubscribed_at, message_id, sent_at, {came_in(Log.UNSUBSCRIBES)}",
        "from unsubscribes where campaign_id = $key order by unsubscribed_at desc, contact_id",
    )
    queries.add_published("campaign_metrics", "campaign_id")
    queries.add_published("campaign_overview", "campaign_id")
    return True
