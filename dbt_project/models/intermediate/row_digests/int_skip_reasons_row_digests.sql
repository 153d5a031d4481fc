{{ config(meta={"changed_keys": {"messages_this_run": ["campaign_id"], "campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaigns_this_run') }}
{{ campaign_row_digest("skip_reasons") }}
