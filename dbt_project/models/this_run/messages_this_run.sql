{#
    The stored row of a message stands for all earlier rows of that message: its send for all sends with its id, its deciding
    receipt for all its receipts. The rows of a message are read from the lake again only if some of them were removed.
#}
{%- set stored_messages = previous_relation("int_messages_resolved") -%}
{%- set lake_sends = ref("stg_logs__sends") -%}
{%- set lake_receipts = ref("stg_logs__receipts") -%}
{%- set columns = resolved_message_columns() | join(", ") -%}
{#- An earlier attempt of this run has left its rows here. -#}
{%- set is_repeated = ", " ~ (is_incremental() | string | lower) ~ " as is_repeated" if var("insights") else "" -%}
{%- set send_columns = deduplicated_columns("sends") | join(", ") -%}
{%- set columns_of_sends = columns_to_deduplicate("sends") -%}
{%- set columns_of_receipts = "message_id, provider, provider_status, error_code, occurred_at" ~ (
    ", log_date" if var("insights") else ""
) -%}

with
    provider_statuses as (select * from {{ ref("int_provider_statuses_mapped") }}),

    changed_sends as (select * from {{ source("changes", "sends") }}),

    changed_receipts as (select * from {{ source("changes", "receipts") }}),
{% if stored_messages is none %}
        sends as (select {{ columns_of_sends }} from changed_sends where false),

        receipts as (

            select
                changed_receipts.message_id,
                changed_receipts.occurred_at,
                provider_statuses.delivery_status,
                provider_statuses.tie_rank
                {%- if var("insights") %}, true as is_receipt, changed_receipts.log_date as known_log_date {%- endif %}
            from changed_receipts
            cross join provider_statuses
            where false

        ),

        {{ resolved_messages() }}

    select 'current' as row_version, false as is_reread_from_lake, {{ columns }}{{ is_repeated }}
    from messages_resolved
{% else %}
        changed_keys as (

            select message_id, bool_or(change = 'removed') as is_removed
            from
                (
                    select message_id, change
                    from changed_sends
                    union all
                    select message_id, change
                    from changed_receipts
                )
            group by message_id

        ),

        removed_keys as (select message_id from changed_keys where is_removed),

        previous_messages as ({{ rows_with_key(stored_messages, ["message_id"], "changed_keys") | indent(4) }}),

        messages_kept as (select * from previous_messages anti join removed_keys using (message_id)),

        send_candidates as (

            select {{ columns_of_sends }}
            from changed_sends
            where change = 'added'

            union all

            select {{ send_columns }}
            from messages_kept
            where campaign_id is not null
            {%- if has_removed_rows("sends") or has_removed_rows("receipts") %}

                union all

                select {{ columns_of_sends }}
                from {{ lake_sends }}
                semi join removed_keys using (message_id)
            {%- endif %}

        ),

        sends as ({{ deduplicated("sends", "send_candidates", log_date="first_log_date") | indent(4) }}),

        receipt_candidates as (

            select {{ columns_of_receipts }}
            from changed_receipts
            where change = 'added'
            {%- if has_removed_rows("sends") or has_removed_rows("receipts") %}

                union all

                select {{ columns_of_receipts }}
                from {{ lake_receipts }}
                semi join removed_keys using (message_id)
            {%- endif %}

        ),

        receipts as (

            select
                receipt_candidates.message_id,
                receipt_candidates.occurred_at,
                provider_statuses.delivery_status,
                provider_statuses.tie_rank
                {%- if var("insights") %}, true as is_receipt, receipt_candidates.log_date as known_log_date
                {%- endif %}
            from receipt_candidates
            inner join
                provider_statuses
                on receipt_candidates.provider = provider_statuses.provider
                and receipt_candidates.provider_status = provider_statuses.provider_status
                and receipt_candidates.error_code is not distinct from provider_statuses.error_code

            union all

            -- A message without a deciding receipt keeps its row.
            select
                messages_kept.message_id,
                messages_kept.status_at as occurred_at,
                provider_statuses.delivery_status,
                provider_statuses.tie_rank
                {%- if var("insights") %}, messages_kept.has_receipt as is_receipt, messages_kept.known_log_date
                {%- endif %}
            from messages_kept
            left join provider_statuses on messages_kept.provider_status_id = provider_statuses.provider_status_id

        ),

        {{ resolved_messages() }}

    select 'previous' as row_version, false as is_reread_from_lake, {{ columns }}{{ is_repeated }}
    from previous_messages

    union all

    select 'current' as row_version, changed_keys.is_removed as is_reread_from_lake, {{ columns }}{{ is_repeated }}
    from messages_resolved
    inner join changed_keys using (message_id)
{% endif %}
