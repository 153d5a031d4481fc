{# The columns of `messages_resolved` below. #}
{% macro resolved_message_columns() -%}
    {{
        return(
            [
                "message_id",
                "is_sent",
                "campaign_id",
                "contact_id",
                "mobile_number",
                "sent_at",
                "segments",
                "skip_reason",
                "delivery_status",
                "status_at",
                "provider_status_id",
            ]
            + insight_columns("sends")
            + (["first_log_date", "has_receipt", "known_log_date"] if var("insights") else [])
        )
    }}
{%- endmacro %}


{#
    The delivery status of each message, from its send and its receipts. The last of these common table expressions is
    `messages_resolved`. The caller defines two before them: `sends`, one row per message, and `receipts` (message_id,
    delivery_status, occurred_at, tie_rank), any number of rows per message, duplicates included. With the insights, `receipts`
    has two more columns: `is_receipt`, false for a row that stands for no receipt, and `known_log_date`, the least log date of
    the receipts that a row stands for.
#}
{% macro resolved_messages() -%}
    -- The deciding receipt has the greatest rank: a delivered receipt before the other final statuses, these before
    -- pending. Of
    -- several delivered receipts the earliest decides, of the others the latest. Timestamps from 1990 to 2099 are
    -- less than 2^52
    -- microseconds (4503599627370496).
    receipts_ranked as (

        select
            message_id,
            tie_rank,
            {%- if var("insights") %} is_receipt, delivery_status, known_log_date, {%- endif %}
            case
                when delivery_status = 'delivered'
                then 3 * 4503599627370496 - {{ microseconds_of("occurred_at") }}
                when delivery_status = 'pending'
                then {{ microseconds_of("occurred_at") }}
                when delivery_status is not null
                then 4503599627370496 + {{ microseconds_of("occurred_at") }}
            end as moment_rank
        from receipts

    ),

    -- Both ranks are packed into one number, so that a `max` finds the deciding receipt without a sort and ignores
    -- duplicates. It
    -- is null if no receipt of the message could be mapped.
    messages_reported as (

        {% if var("insights") -%}
            -- Of several rows of the deciding receipt, the one with the least log date.
            select
                message_id,
                max(
                    {{
                        pack_three(
                            "moment_rank", "tie_rank", "4194303 - coalesce(" ~ days_of("known_log_date") ~ ", 0)"
                        )
                    }}
                ) as deciding_receipt,
                bool_or(is_receipt) as has_receipt,
                min(case when delivery_status = 'delivered' then known_log_date end) as delivered_log_date
        {%- else -%}select message_id, max({{ pack_pair("moment_rank", "tie_rank") }}) as deciding_receipt
        {%- endif %}
        from receipts_ranked
        group by message_id

    ),

    -- A full join: some messages have no receipt, some receipts have no message.
    messages as (

        select
            coalesce(sends.message_id, messages_reported.message_id) as message_id,
            sends.message_id is not null and sends.skip_reason is null as is_sent,
            sends.campaign_id,
            sends.contact_id,
            sends.mobile_number,
            sends.sent_at,
            sends.segments,
            sends.skip_reason,
            {% if var("insights") -%}
                {% for column in insight_columns("sends") %} sends.{{ column }}, {% endfor %}
                sends.first_log_date,
                coalesce(messages_reported.has_receipt, false) as has_receipt,
                messages_reported.delivered_log_date,
                {{ date_of("4194303 - " ~ unpack_third("messages_reported.deciding_receipt")) }} as deciding_log_date,
                {{ unpack_first_of_three("messages_reported.deciding_receipt") }} as moment_rank,
                {{ unpack_second_of_three("messages_reported.deciding_receipt") }} as tie_rank
            {%- else -%}
                {{ unpack_first("messages_reported.deciding_receipt") }} as moment_rank,
                {{ unpack_second("messages_reported.deciding_receipt") }} as tie_rank
            {%- endif %}
        from sends
        full join messages_reported on sends.message_id = messages_reported.message_id

    ),

    messages_resolved as (

        select
            messages.message_id,
            messages.is_sent,
            messages.campaign_id,
            messages.contact_id,
            messages.mobile_number,
            messages.sent_at,
            messages.segments,
            messages.skip_reason,
            coalesce(
                provider_statuses.delivery_status, cast('pending' as {{ delivery_status_type() }})
            ) as delivery_status,
            case
                when messages.moment_rank is null
                then messages.sent_at
                when provider_statuses.delivery_status = 'delivered'
                then {{ timestamp_of("3 * 4503599627370496 - messages.moment_rank") }}
                when provider_statuses.delivery_status = 'pending'
                then {{ timestamp_of("messages.moment_rank") }}
                else {{ timestamp_of("messages.moment_rank - 4503599627370496") }}
            end as status_at,
            provider_statuses.provider_status_id
            {%- if var("insights") -%}
                ,
                {% for column in insight_columns("sends") %} messages.{{ column }}, {% endfor %}
                messages.first_log_date,
                messages.has_receipt,
                case
                    when provider_statuses.delivery_status = 'delivered'
                    then messages.delivered_log_date
                    when provider_statuses.delivery_status <> 'pending'
                    then messages.deciding_log_date
                end as known_log_date
            {%- endif %}
        from messages
        left join provider_statuses on messages.tie_rank = provider_statuses.tie_rank

    )
{%- endmacro %}
