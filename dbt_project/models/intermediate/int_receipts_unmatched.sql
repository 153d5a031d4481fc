{{ config(meta={"changed_keys": {"messages_this_run": ["message_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}
with
    messages_not_sent as (

        {% if is_incremental() -%}
            select message_id from {{ ref("messages_this_run") }} where row_version = 'current' and not is_sent
        {%- else -%}select message_id from {{ ref("int_messages_resolved") }} where not is_sent
        {%- endif %}

    ),

    receipts as (

        {{ receipts_of_changed_messages() if is_incremental() else "select * from " ~ ref("stg_logs__receipts") }}

    ),

    receipts_of_them as (

        select receipts.*
        from receipts
        semi join messages_not_sent on receipts.message_id = messages_not_sent.message_id

    )

select distinct message_id, provider, provider_status, error_code, occurred_at
from receipts_of_them
