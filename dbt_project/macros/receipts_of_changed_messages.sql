{#
    The receipts of the messages that changed in this run, for a model that keeps some receipts: the receipts that the model
    already holds, and the receipts that were added. If rows of a message were removed, the receipts of that message are read
    from the lake again.
#}
{% macro receipts_of_changed_messages() -%}
    select message_id, provider, provider_status, error_code, occurred_at
    from {{ this }}
    semi join
        (
            select message_id
            from {{ ref("messages_this_run") }}
            where row_version = 'current' and not is_reread_from_lake
        ) using (message_id)

    union all

    select message_id, provider, provider_status, error_code, occurred_at
    from {{ source("changes", "receipts") }}
    where change = 'added'
    {%- if has_removed_rows("sends") or has_removed_rows("receipts") %}

        union all

        select message_id, provider, provider_status, error_code, occurred_at
        from {{ ref("stg_logs__receipts") }}
        semi join
            (
                select message_id
                from {{ ref("messages_this_run") }}
                where row_version = 'current' and is_reread_from_lake
            ) using (message_id)
    {%- endif %}
{%- endmacro %}
