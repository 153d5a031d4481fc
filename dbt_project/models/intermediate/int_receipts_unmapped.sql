{{ config(meta={"changed_keys": {"messages_this_run": ["message_id"]}}) }}

-- depends_on: {{ ref('messages_this_run') }}
with
    receipts as (

        {{ receipts_of_changed_messages() if is_incremental() else "select * from " ~ ref("stg_logs__receipts") }}

    ),

    unknown_provider_statuses as (

        select * from {{ ref("int_provider_statuses_mapped") }} where delivery_status is null

    ),

    receipts_of_them as (

        select receipts.*
        from receipts
        semi join
            unknown_provider_statuses
            on receipts.provider = unknown_provider_statuses.provider
            and receipts.provider_status = unknown_provider_statuses.provider_status
            and receipts.error_code is not distinct from unknown_provider_statuses.error_code

    )

select distinct message_id, provider, provider_status, error_code, occurred_at
from receipts_of_them
