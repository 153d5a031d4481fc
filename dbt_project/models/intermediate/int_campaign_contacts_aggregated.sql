{{ config(meta={"changed_keys": {"messages_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaign_periods_this_run') }}
with
    delivery_status as (

        {% if is_incremental() -%}
            {{
                rows_with_key(
                    ref("delivery_status"),
                    ["campaign_id"],
                    ref("messages_this_run"),
                    within_periods_this_run("last_sent_at"),
                ) | indent(4)
            }}
        {%- else -%}select * from {{ ref("delivery_status") }}
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
