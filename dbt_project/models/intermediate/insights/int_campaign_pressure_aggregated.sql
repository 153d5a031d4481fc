{{ config(meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }})

select
    campaign_id,
    cast(sent_at as date) as sent_date,
    cast(messages_before as integer) as messages_before,
    count(*) as messages,
    count(*) filter (where delivery_status = 'delivered') as delivered,
    cast(sum(cost) as decimal(38, 6)) as cost
from messages
group by campaign_id, cast(sent_at as date), messages_before
