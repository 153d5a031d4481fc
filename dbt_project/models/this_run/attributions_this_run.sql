{{ config(materialized="table") }}

{#
    An unsubscribe is attributed to a message that was sent before it. Few contacts that get a message in this run have
    unsubscribed after it.
#}
with
    unsubscribes as (select * from {{ ref("int_unsubscribes_deduplicated") }}),

    changed_unsubscribes as (

        select contact_id, unsubscribed_at
        from {{ ref("unsubscribes_this_run") }}

        union all

        select unsubscribes.contact_id, unsubscribes.unsubscribed_at
        from {{ ref("messages_this_run") }} as messages_this_run
        inner join
            unsubscribes
            on messages_this_run.contact_id = unsubscribes.contact_id
            and messages_this_run.sent_at <= unsubscribes.unsubscribed_at

    )

select contact_id, unsubscribed_at
from changed_unsubscribes
group by contact_id, unsubscribed_at
