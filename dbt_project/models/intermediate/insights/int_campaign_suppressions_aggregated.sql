{{ config(meta={"changed_keys": {"what_if_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('what_if_campaigns_this_run') }}, {{ ref('what_if_periods_this_run') }}
with
    messages as ({{ rows_of_what_if_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    suppressions as (select * from {{ ref("int_mobile_numbers_suppressed_by_setting") }})

select
    messages.campaign_id,
    suppressions.hard_bounces,
    count(*) as messages_after,
    count(*) filter (where messages.delivery_status = 'delivered') as delivered_after,
    cast(sum(messages.segments) as bigint) as segments_after,
    cast(coalesce(sum(messages.cost), 0) as decimal(38, 6)) as cost_after
from messages
inner join
    suppressions
    on messages.mobile_number = suppressions.mobile_number
    and messages.sent_at > suppressions.suppressed_at
group by messages.campaign_id, suppressions.hard_bounces
