{{ config(meta={"changed_keys": {"messages_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaign_periods_this_run') }}
{{ campaign_row_digest("delivery_status", time_column="last_sent_at") }}
