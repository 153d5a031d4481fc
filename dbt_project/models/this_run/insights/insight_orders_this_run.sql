{{ config(materialized="table") }}

-- depends_on: {{ ref('order_contacts_this_run') }}
with
    orders as (

        select order_id
        from {{ ref("int_orders_deduplicated") }}
        semi join {{ ref("order_contacts_this_run") }} using (contact_id)

        union all

        -- Orders that were removed or got another contact, too.
        select order_id
        from {{ ref("orders_this_run") }}

    )

select order_id
from orders
group by order_id
