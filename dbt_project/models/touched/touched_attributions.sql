{{ config(materialized='table') }}

{#
    An unsubscribe is attributed to what was sent before it: of those who get a message tonight, hardly anybody has
    unsubscribed since.
#}
with unsubscribes as (

    select * from {{ ref('int_unsubscribes_deduplicated') }}

),

touched_unsubscribes as (

    select
        contact_id,
        unsubscribed_at
    from {{ ref('touched_unsubscribes') }}

    union all

    select
        unsubscribes.contact_id,
        unsubscribes.unsubscribed_at
    from {{ ref('touched_messages') }} as touched_messages
    inner join unsubscribes
        on touched_messages.contact_id = unsubscribes.contact_id
        and touched_messages.sent_at <= unsubscribes.unsubscribed_at

)

select
    contact_id,
    unsubscribed_at
from touched_unsubscribes
group by contact_id, unsubscribed_at
