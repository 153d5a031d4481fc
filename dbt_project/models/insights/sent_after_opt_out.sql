{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"messages_after_unsubscribes_this_run": ["message_id"]}},
    )
}}

-- depends_on: {{ ref('messages_after_unsubscribes_this_run') }}
with
    unsubscribes as (select * from {{ ref("int_unsubscribes_deduplicated") }}),

    unsubscribed_contacts as (select contact_id from unsubscribes group by contact_id),

    messages as (

        {% if is_incremental() -%}
            select * from {{ ref("messages_after_unsubscribes_this_run") }} where row_version = 'current'
        {%- else -%}select * from {{ ref("int_messages_resolved") }}
        {%- endif %}

    ),

    messages_to_them as (select * from messages semi join unsubscribed_contacts using (contact_id) where is_sent),

    -- An unsubscribe is the contact's last one until the next. Every period has an end: with an `or` in its
    -- condition the join would be a nested loop.
    unsubscribed_periods as (

        select
            contact_id,
            unsubscribed_at,
            lead(unsubscribed_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id order by unsubscribed_at
            ) as next_unsubscribed_at
        from unsubscribes

    )

select
    cast(messages.message_id as string) as message_id,
    cast(messages.campaign_id as string) as campaign_id,
    cast(messages.contact_id as string) as contact_id,
    cast(unsubscribed_periods.unsubscribed_at as timestamp) as unsubscribed_at,
    cast(messages.sent_at as timestamp) as sent_at,
    {%- set elapsed = (
        microseconds_of("messages.sent_at") ~ " - " ~ microseconds_of("unsubscribed_periods.unsubscribed_at")
    ) %}
    {{ milliseconds_of("(" ~ elapsed ~ ")") }} as after_ms,
    cast(messages.delivery_status as string) as delivery_status
from messages_to_them as messages
inner join
    unsubscribed_periods
    on messages.contact_id = unsubscribed_periods.contact_id
    and messages.sent_at > unsubscribed_periods.unsubscribed_at
    and messages.sent_at <= unsubscribed_periods.next_unsubscribed_at
