{{ config(meta={"changed_keys": {"attributions_this_run": ["contact_id", "unsubscribed_at"]}}) }}

-- depends_on: {{ ref('attributions_this_run') }}, {{ ref('campaign_periods_this_run') }}
{{ "-- depends_on: " ~ ref('credits_this_run') if var("insights") and model.resource_type != "unit_test" }}
with
    unsubscribes as (

        select *
        from {{ ref("int_unsubscribes_deduplicated") }}
        {%- if is_incremental() %}
            semi join {{ ref("attributions_this_run") }} using (contact_id, unsubscribed_at)
        {%- endif %}

    ),

    unsubscribed_contacts as (select contact_id from unsubscribes group by contact_id),

    {% if is_incremental() -%}
        recent_messages as (

            select *
            from {{ ref("int_messages_resolved") }}
            semi join unsubscribed_contacts using (contact_id)
            where is_sent and {{ is_recent("sent_at") }}

        ),

        first_recent_messages as (

            select contact_id, min(sent_at) as first_sent_at from recent_messages group by contact_id

        ),

        -- For a contact who got a message recently and unsubscribed after it, no earlier message matters.
        contacts_to_look_back_for as (

            select unsubscribes.contact_id
            from unsubscribes
            left join first_recent_messages on unsubscribes.contact_id = first_recent_messages.contact_id
            where
                first_recent_messages.first_sent_at is null
                or unsubscribes.unsubscribed_at < first_recent_messages.first_sent_at
            group by unsubscribes.contact_id

        ),

        messages_to_them as (

            select *
            from recent_messages

            union all

            select *
            from {{ ref("int_messages_resolved") }}
            semi join contacts_to_look_back_for using (contact_id)
            where is_sent and not {{ is_recent("sent_at") }}

        ),
    {%- else -%}
        -- Few contacts unsubscribe. Only their messages are sorted.
        messages_to_them as (

            select *
            from {{ ref("int_messages_resolved") }}
            semi join unsubscribed_contacts using (contact_id)
            where is_sent

        ),
    {%- endif %}

    -- A message is the contact's last message until the next one. Every period has an end: with an `or` in its
    -- condition the join would be a nested loop.
    send_periods as (

        select
            contact_id,
            campaign_id,
            message_id,
            sent_at,
            lead(sent_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id order by sent_at, message_id
            ) as next_sent_at
        from messages_to_them

    )

select
    unsubscribes.contact_id,
    unsubscribes.unsubscribed_at,
    unsubscribes.source,
    send_periods.campaign_id,
    send_periods.message_id,
    send_periods.sent_at
from unsubscribes
left join
    send_periods
    on unsubscribes.contact_id = send_periods.contact_id
    and unsubscribes.unsubscribed_at >= send_periods.sent_at
    and unsubscribes.unsubscribed_at < send_periods.next_sent_at
