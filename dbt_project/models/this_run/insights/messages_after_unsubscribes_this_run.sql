{{ config(materialized="table") }}

{#
    The messages whose row in `sent_after_opt_out` may change: those that this run changes, and the messages to a contact of
    which an unsubscribe came or went, if they were sent after it.
#}
{%- set columns = ["message_id", "campaign_id", "contact_id", "sent_at", "is_sent", "delivery_status"] -%}
{%- set changed_unsubscribes = ref("unsubscribes_this_run") -%}
{%- set first_changed_at = (
    run_query("select cast(min(unsubscribed_at) as string) from " ~ changed_unsubscribes).rows[0][0]
    if execute and model.resource_type != "unit_test" and load_relation(changed_unsubscribes)
    else none
) -%}

with
    messages_this_run as (select * from {{ ref("messages_this_run") }}),

    changed_contacts as (

        select contact_id, min(unsubscribed_at) as unsubscribed_at from {{ changed_unsubscribes }} group by contact_id

    ),

    messages_to_them as (

        select messages.*
        from {{ ref("int_messages_resolved") }} as messages
        inner join
            changed_contacts
            on messages.contact_id = changed_contacts.contact_id
            and messages.sent_at > changed_contacts.unsubscribed_at
        {%- if first_changed_at %} where messages.sent_at > timestamp '{{ first_changed_at }}' {%- endif %}

    )

select row_version, {{ columns | join(", ") }}
from messages_this_run

union all

select 'current' as row_version, {{ columns | join(", ") }}
from messages_to_them
anti join messages_this_run using (message_id)
