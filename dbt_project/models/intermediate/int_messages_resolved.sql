{{
    config(
        meta={
            "changed_keys": {"messages_this_run": ["message_id"]},
            "time_column": "sent_at",
            "deduplication": deduplication("sends"),
        }
    )
}}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaign_periods_this_run') }}
{% if is_incremental() %}

    select {{ resolved_message_columns() | join(", ") }}
    from {{ ref("messages_this_run") }}
    where row_version = 'current'

{% else %}

    with
        sends as ({{ deduplicated("sends", ref("stg_logs__sends")) | indent(4) }}),

        provider_statuses as (select * from {{ ref("int_provider_statuses_mapped") }}),

        receipts as (

            select
                logged.message_id,
                logged.occurred_at,
                provider_statuses.delivery_status,
                provider_statuses.tie_rank
                {%- if var("insights") %}, true as is_receipt, logged.log_date as known_log_date
                {%- endif %}
            from {{ ref("stg_logs__receipts") }} as logged
            inner join
                provider_statuses
                on logged.provider = provider_statuses.provider
                and logged.provider_status = provider_statuses.provider_status
                and logged.error_code is not distinct from provider_statuses.error_code

        ),

        {{ resolved_messages() }}

    -- Sorted by time, the rows that a night changes lie close together: the messages of a campaign, the last days.
    select *
    from messages_resolved {{ stored_in_order_of("sent_at") }}

{% endif %}
