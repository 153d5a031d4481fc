-- The hand-written insights, continued: attribution (8), contact pressure (9), totals by day (10), other settings (11),
-- maturity (12) and messages after an opt-out (13). It reads the tables that `insights.sql` has created.

-- Attribution (8) ---------------------------------------------------------------------------------------------------

create table marts_file.insights.attribution_models as
with
    touches as (
        select order_id, revenue, campaign_id, click_id, clicked_at
        from placed
        join classified
            on placed.contact_id = classified.contact_id
            and clicked_at <= ordered_at
            and clicked_at >= ordered_at - to_hours(getvariable('conversion_window_hours'))
    ),
    touched as (
        select order_id, count(*) as n, any_value(campaign_id) as campaign_id, any_value(revenue) as revenue
        from touches
        group by order_id
    ),
    placed_touches as (
        select
            touches.*, n, (touches.revenue * 100)::hugeint as cents,
            row_number() over (partition by order_id order by clicked_at, click_id) as place,
            pow(
                2,
                (epoch_us(clicked_at) - max(epoch_us(clicked_at)) over (partition by order_id))
                / (getvariable('attribution_half_life_hours') * 3600e6)
            ) as decay
        from touches
        join (select order_id, n from touched where n > 1) using (order_id)
    ),
    parts as (
        select
            *, 1::hugeint as linear_part, n::hugeint as linear_whole,
            case when n = 2 then 1 when place in (1, n) then 2 * (n - 2) else 1 end::hugeint as position_part,
            if(n = 2, 2, 5 * (n - 2))::hugeint as position_whole,
            round(
                1e12 * decay / sum(decay::decimal(38, 18)) over (partition by order_id)::double
            )::hugeint as rounded
        from placed_touches
    ),
    weighted as (
        select
            order_id, campaign_id, place, n, revenue, cents,
            unnest(['linear', 'position', 'time_decay']) as model,
            unnest([linear_part, position_part, decay_part]) as part,
            unnest([linear_whole, position_whole, 1000000000000::hugeint]) as whole
        from (
            select
                *,
                if(
                    place < n, rounded, 1000000000000 - (sum(rounded) over (partition by order_id) - rounded)
                )::hugeint as decay_part
            from parts
        )
    ),
    shared as (
        select
            *, divide(cents * part, whole) as share,
            cents - sum(divide(cents * part, whole)) over (partition by order_id, model) as left_over,
            row_number() over (
                partition by order_id, model order by (cents * part) % whole desc, place desc
            ) as rank
        from weighted
    )
select order_id, campaign_id, model, 1 as touches, 1::double as weight, revenue
from touched
cross join (select unnest(['first', 'last', 'linear', 'position', 'time_decay']) as model)
where n = 1
union all
select
    order_id, campaign_id, model, count(*), sum(part)::double / any_value(whole)::double,
    (sum(share + if(rank <= left_over, 1, 0))::decimal(20, 0) * 0.01)::decimal(18, 2)
from shared
group by order_id, campaign_id, model
union all
select
    order_id, arg_min(campaign_id, place), 'first', count(*) filter (where campaign_id = first_one), 1,
    any_value(revenue)
from (select *, first_value(campaign_id) over (partition by order_id order by place) as first_one from placed_touches)
group by order_id
union all
select
    order_id, arg_max(campaign_id, place), 'last', count(*) filter (where campaign_id = last_one), 1,
    any_value(revenue)
from (
    select *, first_value(campaign_id) over (partition by order_id order by place desc) as last_one from placed_touches
)
group by order_id;

create table marts_file.insights.campaign_attribution as
with
    credited as (
        select
            campaign_id, model, count(*) as orders, sum(weight::decimal(38, 18))::double as credited_orders,
            coalesce(sum(revenue), 0)::decimal(18, 2) as revenue
        from marts_file.insights.attribution_models
        group by all
    )
select
    credited.*, (credited.revenue - coalesce(by_last.revenue, 0))::decimal(18, 2) as revenue_over_last
from credited
left join (from credited where model = 'last') as by_last using (campaign_id);

-- Contact pressure (9) ----------------------------------------------------------------------------------------------

create table messages_before as
select
    rowid as message,
    least(
        count(*) over (
            partition by contact_id
            order by epoch_us(sent_at) range between 604800000000 preceding and 1 preceding
        ),
        7
    )::utinyint as messages_before
from messages
where campaign_id is not null;

create temp table responding as
select
    message_id, max(clicking) as clicking, max(unsubscribes) as unsubscribes, sum(orders) as orders,
    sum(revenue) as revenue
from (
    select message_id, 1 as clicking, 0 as unsubscribes, 0 as orders, 0::decimal(18, 2) as revenue
    from classified
    where not is_bot and after_us <= 72 * 3600000000
    union all select message_id, 0, 1, 0, 0 from marts_file.marts.attributed_unsubscribes
    union all select message_id, 0, 0, 1, coalesce(revenue, 0) from direct_orders
)
where message_id is not null
group by message_id;

create temp macro wilson(part, whole, sign) as
    (part / whole + 3.841458820694124e0 / (2 * whole) + sign * 1.959963984540054e0 * sqrt(
        part / whole * (whole - part) / whole / whole + 3.841458820694124e0 / (4 * whole * whole)
    )) / (1 + 3.841458820694124e0 / whole);

create table marts_file.insights.contact_pressure as
with
    pressed as (
        select
            campaign_id, messages_before, count(*) as messages,
            count(*) filter (where delivery_status = 'delivered') as delivered, sum(cost) as cost
        from messages
        join messages_before on messages.rowid = message
        cross join data_until
        where sent_at < ends_at - interval 72 hours
        group by campaign_id, messages_before
        ),
    responded as (
        select campaign_id, messages_before, sum(clicking) as clicking, sum(unsubscribes) as unsubscribes,
            sum(orders) as direct_orders, sum(responding.revenue) as revenue
        from (select rowid as message, message_id, campaign_id, sent_at from messages) as messages
        join responding using (message_id)
        join messages_before using (message)
        cross join data_until
        where sent_at < ends_at - interval 72 hours
        group by campaign_id, messages_before
    ),
    typed as (
        select campaign_type, messages_before, sum(messages) as messages, sum(delivered)::bigint as delivered,
            sum(clicking) as clicking, sum(unsubscribes)::bigint as unsubscribes, sum(direct_orders) as direct_orders,
            sum(revenue) as revenue, sum(cost) as cost
        from pressed
        left join responded using (campaign_id, messages_before)
        left join marts_file.marts.campaigns using (campaign_id)
        group by all
    ),
    filled as (
        select
            types.campaign_type, numbers.messages_before, coalesce(messages, 0)::bigint as messages,
            coalesce(delivered, 0) as delivered, coalesce(clicking, 0)::bigint as clicking,
            coalesce(unsubscribes, 0) as unsubscribes, coalesce(direct_orders, 0)::bigint as direct_orders,
            coalesce(revenue, 0)::decimal(18, 2) as revenue, cost::decimal(18, 6) as cost,
            least(coalesce(unsubscribes, 0), coalesce(delivered, 0)) as lost
        from (select distinct campaign_type from typed) as types
        cross join (select unnest(range(8)) as messages_before) as numbers
        left join typed
            on types.campaign_type is not distinct from typed.campaign_type
            and numbers.messages_before = typed.messages_before
    )
select
    * exclude (lost), clicking / nullif(delivered, 0) as click_rate,
    unsubscribes / nullif(delivered, 0) as unsubscribe_rate,
    revenue::double / nullif(delivered, 0) as revenue_per_delivered,
    case when delivered = 0 then null when lost = 0 then 0 else wilson(lost, delivered, -1) end as unsubscribe_low,
    case when delivered = 0 then null when lost = delivered then 1 else wilson(lost, delivered, 1) end
    as unsubscribe_high
from filled;

-- Totals by day (10), settings side by side (11), maturity (12), messages after an opt-out (13) ----------------------

create table marts_file.insights.daily_totals as
with
    clocks as (select unnest(['sent', 'event']) as clock),
    parts as (
        select
            campaign_id, clock, sent_on as day, messages, 0 as delivered, 0 as failed, segments, cost, 0 as clicks,
            0 as unsubscribes, 0 as direct_orders, 0::decimal(18, 2) as revenue
        from outcomes
        cross join clocks
        union all
        select
            campaign_id, clock, if(clock = 'sent', sent_on, status_on),
            0, if(delivery_status = 'delivered', messages, 0), if(delivery_status = 'delivered', 0, messages), 0, 0,
            0, 0, 0, 0
        from outcomes
        cross join clocks
        where delivery_status <> 'pending'
        union all
        select
            campaign_id, clock, if(clock = 'sent', message_sent_at, clicked_at)::date, 0, 0, 0, 0, 0, count(*), 0, 0, 0
        from classified
        cross join clocks
        group by 1, 2, 3
        union all
        select
            campaign_id, clock, if(clock = 'sent', sent_at, unsubscribed_at)::date, 0, 0, 0, 0, 0, 0, count(*), 0, 0
        from marts_file.marts.attributed_unsubscribes
        cross join clocks
        group by 1, 2, 3
        union all
        select
            campaign_id, clock, if(clock = 'sent', message_sent_at, ordered_at)::date, 0, 0, 0, 0, 0, 0, 0, count(*),
            coalesce(sum(revenue), 0)
        from direct_orders
        cross join clocks
        group by 1, 2, 3
    )
select
    day, campaign_type, clock, sum(messages)::bigint as messages, sum(delivered)::bigint as delivered,
    sum(failed)::bigint as failed, sum(segments)::bigint as segments,
    coalesce(sum(cost), 0)::decimal(18, 6) as cost, sum(clicks)::bigint as clicks,
    sum(unsubscribes)::bigint as unsubscribes, sum(direct_orders)::bigint as direct_orders,
    sum(parts.revenue)::decimal(18, 2) as revenue
from parts
join (select campaign_id, campaign_type from marts_file.marts.campaign_metrics) using (campaign_id)
where day is not null
group by day, campaign_type, clock;

create table marts_file.insights.campaign_metrics_by_window as
with
    windows as (
        select distinct unnest(
            getvariable('what_if_windows') || [getvariable('conversion_window_hours')]
        )::bigint as window_hours
    ),
    credited as (
        select
            campaign_id, window_hours, count(*) filter (where is_last) as direct_orders,
            count(*) filter (where not is_last) as assisted_orders, sum(revenue) filter (where is_last) as revenue,
            sum(revenue) filter (where not is_last) as assisted_revenue
        from orders_by_age
        join windows on age_us <= window_hours * 3600000000
        group by all
    ),
    counted as (
        select
            campaign_id, window_hours, unique_clickers, total_delivered, total_sent,
            coalesce(credited.direct_orders, 0) as direct_orders,
            coalesce(credited.assisted_orders, 0) as assisted_orders,
            coalesce(credited.revenue, 0)::decimal(18, 2) as revenue,
            coalesce(credited.assisted_revenue, 0)::decimal(18, 2) as assisted_revenue
        from marts_file.marts.campaign_metrics
        cross join windows
        left join credited using (campaign_id, window_hours)
    )
select
    campaign_id, window_hours, direct_orders, assisted_orders, revenue, assisted_revenue,
    direct_orders / nullif(unique_clickers, 0) as conversion_rate_by_clickers,
    direct_orders / nullif(total_delivered, 0) as conversion_rate_by_delivered,
    direct_orders / nullif(total_sent, 0) as conversion_rate_by_sent,
    window_hours = getvariable('conversion_window_hours') as is_in_force
from counted;

create table marts_file.insights.suppression_what_if as
with
    in_runs as (
        select
            mobile_number, message_id, sent_at, status_at, delivery_status,
            sum((delivery_status <> 'hard_bounce')::integer) over (
                partition by mobile_number order by sent_at, message_id rows unbounded preceding
            ) as run
        from sent_messages
        semi join (from bounces where hard_bounces > 1) using (mobile_number)
        where delivery_status <> 'pending'
    ),
    counted as (
        select
            *, row_number() over (partition by mobile_number, run order by sent_at, message_id) as hard_bounces
        from in_runs
        where delivery_status = 'hard_bounce'
    ),
    suppressions as (
        select mobile_number, hard_bounces, status_at as suppressed_at
        from counted
        qualify row_number() over (partition by mobile_number, hard_bounces order by sent_at, message_id) = 1
        union all
        select mobile_number, 1, min(status_at)
        from sent_messages
        semi join (from bounces where hard_bounces = 1) using (mobile_number)
        where delivery_status = 'hard_bounce'
        group by mobile_number
    ),
    numbers as (select hard_bounces, count(*) as numbers from suppressions group by all),
    later as (
        select
            hard_bounces, count(*) as messages, count(*) filter (where delivery_status = 'delivered') as delivered,
            sum(segments) as segments, sum(cost) as cost
        from suppressions
        join sent_messages
            on suppressions.mobile_number = sent_messages.mobile_number and sent_at > suppressed_at
        group by all
    ),
    ordered as (
        select hard_bounces, count(*) as orders, sum(revenue) as revenue
        from suppressions
        join direct_orders
            on suppressions.mobile_number = direct_orders.mobile_number and message_sent_at > suppressed_at
        group by all
    )
select
    settings.hard_bounces, coalesce(numbers, 0) as numbers, coalesce(messages, 0) as messages_after,
    coalesce(delivered, 0) as delivered_after, coalesce(segments, 0)::bigint as segments_after,
    coalesce(cost, 0)::decimal(18, 6) as cost_after, coalesce(orders, 0) as direct_orders_after,
    coalesce(revenue, 0)::decimal(18, 2) as revenue_after,
    getvariable('hard_bounce_suppression')
    and settings.hard_bounces = getvariable('hard_bounces_to_suppress') as is_in_force
from (
    select distinct unnest(range(1, 11) || [getvariable('hard_bounces_to_suppress')])::bigint as hard_bounces
) as settings
left join numbers using (hard_bounces)
left join later using (hard_bounces)
left join ordered using (hard_bounces);

create table marts_file.insights.figure_maturity as
with
    known as (
        select
            if(delivery_status = 'delivered', 'delivered', 'failed') as figure, sent_on, age_days, messages as events
        from outcomes
        where delivery_status <> 'pending'
        union all
        select
            'clicks', message_sent_at::date as sent_on, greatest(least(known_on - message_sent_at::date, 15), 0), 1
        from classified
        union all
        select 'direct_orders', message_sent_at::date, greatest(least(known_on - message_sent_at::date, 15), 0), 1
        from direct_orders
    ),
    cohort as (
        select figure, age_days, sum(events) as events
        from known
        cross join data_until
        where day - sent_on between 14 and 103
        group by all
    ),
    counted as (
        select
            figure, ages.age_days,
            coalesce(sum(events) filter (where cohort.age_days <= ages.age_days), 0)::bigint as known,
            coalesce(sum(events), 0)::bigint as final
        from (select unnest(['delivered', 'failed', 'clicks', 'direct_orders']) as figure)
        cross join (select unnest(range(15)) as age_days) as ages
        left join cohort using (figure)
        group by figure, ages.age_days
    )
select *, known / nullif(final, 0) as share
from counted;

create table marts_file.insights.sent_after_opt_out as
with
    periods as (
        select
            contact_id, unsubscribed_at,
            lead(unsubscribed_at, 1, timestamp '9999-12-31') over (
                partition by contact_id order by unsubscribed_at
            ) as next_unsubscribed_at
        from unsubscribes
    )
select
    message_id, campaign_id, sent_messages.contact_id, unsubscribed_at, sent_at,
    milliseconds(epoch_us(sent_at) - epoch_us(unsubscribed_at)) as after_ms, delivery_status
from sent_messages
join periods
    on sent_messages.contact_id = periods.contact_id
    and sent_at > unsubscribed_at
    and sent_at <= next_unsubscribed_at;
