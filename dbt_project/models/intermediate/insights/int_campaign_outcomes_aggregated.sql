{{ config(meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }})

select
    campaign_id,
    provider,
    country,
    cast(sent_at as date) as sent_on,
    delivery_status,
    case when delivery_status in {{ failed_statuses() }} then provider_status_id end as provider_status_id,
    count(*) as messages,
    count(cost) as messages_costed,
    count(*) filter (where has_cost and cost is null) as messages_cost_unconverted,
    cast(sum(cost) as decimal(38, 6)) as cost
from messages
group by
    campaign_id,
    provider,
    country,
    cast(sent_at as date),
    delivery_status,
    case when delivery_status in {{ failed_statuses() }} then provider_status_id end
