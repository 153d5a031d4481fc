{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"insight_orders_this_run": ["order_id"]}},
    )
}}

-- depends_on: {{ ref('insight_orders_this_run') }}
{#
    Revenue is divided in whole cents. Each touch gets its share rounded down; the cents that are left over go to the
    touches with the greatest remainders, later touches first.
#}
{%- set integer = wide_integer_type() -%}
with
    orders as (

        select *
        from {{ ref("int_orders_converted") }}
        {%- if is_incremental() %} semi join {{ ref("insight_orders_this_run") }} using (order_id) {%- endif %}

    ),

    contacts_with_orders as (select contact_id from orders group by contact_id),

    clicks_of_them as (

        select click_id, campaign_id, contact_id, clicked_at
        from {{ counted_clicks() }}
        semi join contacts_with_orders using (contact_id)

    ),

    touches as (

        select
            orders.order_id,
            orders.revenue,
            clicks_of_them.campaign_id,
            clicks_of_them.click_id,
            clicks_of_them.clicked_at
        from orders
        inner join
            clicks_of_them
            on orders.contact_id = clicks_of_them.contact_id
            and orders.ordered_at >= clicks_of_them.clicked_at
            and orders.ordered_at - interval {{ var("conversion_window_hours") }} hours <= clicks_of_them.clicked_at

    ),

    orders_touched as (

        select order_id, count(*) as touches, max(campaign_id) as campaign_id, max(revenue) as revenue
        from touches
        group by order_id

    ),

    orders_touched_often as (select order_id from orders_touched where touches > 1),

    touches_in_order as (

        select
            order_id,
            campaign_id,
            revenue,
            cast(cast(revenue as decimal(20, 2)) * 100 as {{ integer }}) as cents,
            row_number() over (partition by order_id order by clicked_at, click_id) as place,
            count(*) over (partition by order_id) as touches_of_order,
            pow(
                2e0,
                (
                    {{ microseconds_of("clicked_at") }}
                    - max({{ microseconds_of("clicked_at") }}) over (partition by order_id)
                )
                / ({{ var("attribution_half_life_hours") }} * 3600e6)
            ) as decay
        from touches
        semi join orders_touched_often using (order_id)

    ),

    -- The parts of a model add up to its whole: its weights are the quotients. A sum of decimals does not depend on
    -- the order of its terms.
    parts as (

        select
            *,
            cast(1 as {{ integer }}) as linear_part,
            cast(touches_of_order as {{ integer }}) as linear_whole,
            cast(
                case
                    when touches_of_order = 2
                    then 1
                    when place in (1, touches_of_order)
                    then 2 * (touches_of_order - 2)
                    else 1
                end as {{ integer }}
            ) as position_part,
            cast(
                case when touches_of_order = 2 then 2 else 5 * (touches_of_order - 2) end as {{ integer }}
            ) as position_whole,
            cast(
                round(
                    1e12 * decay / cast(sum(cast(decay as decimal(38, 18))) over (partition by order_id) as double)
                ) as {{ integer }}
            ) as time_decay_rounded,
            cast(1000000000000 as {{ integer }}) as time_decay_whole
        from touches_in_order

    ),

    parts_of_the_whole as (

        select
            *,
            case
                when place < touches_of_order
                then time_decay_rounded
                else time_decay_whole - (sum(time_decay_rounded) over (partition by order_id) - time_decay_rounded)
            end as time_decay_part
        from parts

    ),

    rounded_down as (

        select
            *,
            {%- for model in ["linear", "position", "time_decay"] %}
                {{ whole_quotient("cents * " ~ model ~ "_part", model ~ "_whole") }} as {{ model }}_cents,
                (cents * {{ model }}_part) % {{ model }}_whole as {{ model }}_remainder {{- "," if not loop.last }}
            {%- endfor %}
        from parts_of_the_whole

    ),

    ranked as (

        select
            *,
            {%- for model in ["linear", "position", "time_decay"] %}
                cents - sum({{ model }}_cents) over (partition by order_id) as {{ model }}_cents_left,
                row_number() over (
                    partition by order_id order by {{ model }}_remainder desc, place desc
                ) as {{ model }}_rank {{- "," if not loop.last }}
            {%- endfor %}
        from rounded_down

    ),

    credits as (

        select
            order_id,
            campaign_id,
            count(*) as touches,
            bool_or(place = 1) as is_first,
            bool_or(place = touches_of_order) as is_last,
            max(revenue) as revenue,
            {%- for model in ["linear", "position", "time_decay"] %}
                cast(sum({{ model }}_part) as double) / cast(max({{ model }}_whole) as double) as {{ model }}_weight,
                sum(
                    {{ model }}_cents + case when {{ model }}_rank <= {{ model }}_cents_left then 1 else 0 end
                ) as {{ model }}_cents {{- "," if not loop.last }}
            {%- endfor %}
        from ranked
        group by order_id, campaign_id

    ),

    models as (select * from (values ('first'), ('last'), ('linear'), ('position'), ('time_decay')) as names(model)),

    credits_by_model as (

        -- An order with one touch needs no arithmetic.
        select
            orders_touched.order_id,
            orders_touched.campaign_id,
            models.model,
            1 as touches,
            cast(1 as double) as weight,
            orders_touched.revenue
        from orders_touched
        cross join models
        where orders_touched.touches = 1

        union all

        select
            credits.order_id,
            credits.campaign_id,
            models.model,
            credits.touches,
            case
                {%- for model in ["linear", "position", "time_decay"] %}
                    when models.model = '{{ model }}' then credits.{{ model }}_weight
                {%- endfor %}
                else 1
            end as weight,
            case
                {%- for model in ["linear", "position", "time_decay"] %}
                    when models.model = '{{ model }}'
                    then cast(cast(credits.{{ model }}_cents as decimal(20, 0)) * 0.01 as decimal(18, 2))
                {%- endfor %}
                else credits.revenue
            end as revenue
        from credits
        cross join models
        where (models.model <> 'first' or credits.is_first) and (models.model <> 'last' or credits.is_last)

    )

select
    cast(order_id as string) as order_id,
    cast(campaign_id as string) as campaign_id,
    cast(model as string) as model,
    cast(touches as bigint) as touches,
    cast(weight as double) as weight,
    cast(revenue as decimal(18, 2)) as revenue
from credits_by_model
