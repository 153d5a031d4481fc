{{ config(meta={"changed_keys": {"messages_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaign_periods_this_run') }}
with
    messages as (

        {% if is_incremental() -%}
            {{
                rows_with_key(
                    ref("int_messages_resolved"),
                    ["campaign_id"],
                    ref("messages_this_run"),
                    within_periods_this_run("sent_at"),
                ) | indent(4)
            }}
        {%- else -%}select * from {{ ref("int_messages_resolved") }} where campaign_id is not null
        {%- endif %}

    )

-- A campaign whose messages were all skipped is in the sends log, too.
select
    campaign_id,
    min(sent_at) as first_message_at,
    max(sent_at) as last_message_at,
    max(sent_at) filter (where is_sent) as last_sent_at,
    cast(coalesce(sum(segments) filter (where is_sent), 0) as bigint) as total_segments,
    count(*) filter (where is_sent and delivery_status = 'delivered') as total_delivered,
    count(*) filter (where is_sent) as total_sent
from messages
group by campaign_id
