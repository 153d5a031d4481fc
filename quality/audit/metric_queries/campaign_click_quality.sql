select *, share(bot_clicks, clicks) as bot_clicks_share
from
    (
        select coalesce(sum(clicks), 0) as clicks, coalesce(sum(bot_clicks), 0) as bot_clicks
        from insights.campaign_click_quality
    )
