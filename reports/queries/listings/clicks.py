"""The listings of clicks: which links were clicked, and which clicks are a bot's.

Not here: what a listing is (`reports.queries.listings.listing`), the best times to send (`reports.queries.send_times`).
"""

from reports.database import INSIGHTS
from reports.queries.listings.delivery import CAMPAIGN, LAST_SENT, with_campaigns
from reports.queries.listings.listing import Choice, Listing, Shown, Sums
from warehouse.duckdb_tools import masked_id

_CLICKS = Shown("clicks", "Clicks", "count")
_ORDERS = Shown("direct_orders", "Direct orders", "count", "Direct orders whose last click was on the link.")
_REVENUE = Shown("revenue", "Revenue", "money", "Revenue of these orders.")

LINKS = Listing(
    path="/clicks/links",
    title="Links",
    noun=("link of a campaign", "links of campaigns"),
    mart="campaign_links",
    intro=(
        "Which links were clicked, and what was ordered after a click on them. A link is an address without its query.",
    ),
    empty="No link was clicked.",
    notes=(
        "A contact who clicks two links counts for both, so that the people of links cannot be added up. Clicks, orders and"
        " revenue can.",
    ),
    rows=with_campaigns(
        f"{INSIGHTS}.campaign_links", f", coalesce({masked_id('link')}, 'Address not known') as link_known"
    ),
    columns=(
        Shown("link", "Link", "long_text"),
        CAMPAIGN,
        _CLICKS,
        Shown("human_clicks", "Clicks of people", "count", "Clicks that are not a bot's."),
        Shown("unique_clickers", "Contacts", "count", "Contacts who clicked the link of this campaign."),
        Shown("share_of_clicks", "Share of the campaign", "rate", "Of all clicks on the campaign."),
        _ORDERS,
        _REVENUE,
        Shown("last_clicked_at", "Last click", "moment"),
    ),
    order=("clicks", True),
    key=("campaign_id", "link"),
    time="last_sent_at",
    time_label=LAST_SENT,
    searched=("link",),
    search_label="Address or campaign",
    choices=(Choice("link", "Link", "link_known"),),
    totals=(
        (Shown("clicks", "Clicks", "count"), "sum(clicks)::bigint"),
        (Shown("human_clicks", "Clicks of people", "count"), "sum(human_clicks)::bigint"),
        (Shown("direct_orders", "Direct orders", "count"), "sum(direct_orders)::bigint"),
        (Shown("revenue", "Revenue", "money"), "sum(revenue)"),
    ),
    sums=(
        Sums(
            "By link, over all campaigns",
            "Link",
            "link",
            "link_known",
            "link_known",
            (
                (_CLICKS, "sum(clicks)::bigint"),
                (_ORDERS, "sum(direct_orders)::bigint"),
                (_REVENUE, "sum(revenue)"),
            ),
            kind="clicks",
        ),
    ),
)

BOTS = Listing(
    path="/clicks/bots",
    title="Clicks of bots",
    noun=("campaign", "campaigns"),
    mart="campaign_click_quality",
    intro=(
        "Link previews, scanners and crawlers click too. A click counts as a bot's if its program says so, if it comes sooner"
        " after the message than a person can click, or if several links are clicked within a second.",
    ),
    empty="No campaign was clicked.",
    rows=with_campaigns(
        f"{INSIGHTS}.campaign_click_quality", ", bot_clicks / clicks as bot_share, metrics.total_delivered"
    ),
    columns=(
        CAMPAIGN,
        _CLICKS,
        Shown("human_clicks", "Of people", "count"),
        Shown("bot_clicks", "Of bots", "count"),
        Shown("bot_share", "Share of bots", "rate"),
        Shown("bot_clicks_user_agent", "Known programs", "count"),
        Shown("bot_clicks_too_fast", "Too fast", "count"),
        Shown("bot_clicks_sweep", "Several links at once", "count"),
        Shown("unique_clickers", "Contacts", "count", "Contacts who clicked."),
        Shown("human_unique_clickers", "People", "count", "Contacts with a click that is not a bot's."),
        Shown("human_click_to_delivered_rate", "People per delivered", "rate"),
        Shown("direct_orders_from_bots", "Orders after a bot's click", "count"),
    ),
    order=("bot_clicks", True),
    key=("campaign_id",),
    time="last_sent_at",
    time_label=LAST_SENT,
    search_label="Campaign",
    totals=(
        (Shown("clicks", "Clicks", "count"), "sum(clicks)::bigint"),
        (Shown("bot_clicks", "Of bots", "count"), "sum(bot_clicks)::bigint"),
        (Shown("bot_share", "Share of bots", "rate"), "sum(bot_clicks)::bigint / sum(clicks)"),
        (Shown("user_agent", "Known programs", "count"), "sum(bot_clicks_user_agent)::bigint"),
        (Shown("too_fast", "Too fast for a person", "count"), "sum(bot_clicks_too_fast)::bigint"),
        (Shown("sweep", "Several links at once", "count"), "sum(bot_clicks_sweep)::bigint"),
    ),
    template="bots.html",
)
