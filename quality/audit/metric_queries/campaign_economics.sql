select *, share(costed, messages) as costed_share, share(unconverted, costed + unconverted) as unconverted_share
from
    (
        select
            coalesce(sum(messages_costed + messages_cost_unconverted + messages_without_cost), 0) as messages,
            coalesce(sum(messages_costed), 0) as costed,
            coalesce(sum(messages_cost_unconverted), 0) as unconverted,
            coalesce(sum(cost), 0) as cost
        from insights.campaign_economics
    )
