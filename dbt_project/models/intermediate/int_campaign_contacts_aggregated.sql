{{ config(meta={'touched_by': {'touched_messages': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_messages') }}, {{ ref('touched_campaign_periods') }}

with delivery_status as (

    {% if is_incremental() -%}
    {{ rows_with_key(
            ref('delivery_status'), ['campaign_id'], ref('touched_messages'), within_touched_periods('last_sent_at')
        ) | indent(4) }}
    {%- else -%}
    select * from {{ ref('delivery_status') }}
    {%- endif %}

)

select
    campaign_id,
    count(*) as unique_sends,
    count(*) filter (where delivery_status = 'delivered') as unique_deliveries,
    count(*) filter (where delivery_status = 'pending') as pending,
    count(*) filter (where delivery_status = 'soft_bounce') as soft_bounces,
    count(*) filter (where delivery_status = 'hard_bounce') as hard_bounces,
    count(*) filter (where delivery_status = 'deleted') as deleted
from delivery_status
group by campaign_id
