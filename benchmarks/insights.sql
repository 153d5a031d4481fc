-- The hand-written insights, for DuckDB alone: the tables of the schema `insights`, after `insight_rules.sql` and `marts.sql`.
--
-- For `SENDMART_BOT_CLICKS=count` and reports in UTC, the defaults.

create schema marts_file.insights;
set disabled_compression_methods = 'fsst,dict_fsst,dictionary';

create temp macro milliseconds(microseconds) as (microseconds - (microseconds % 1000 + 1000) % 1000) // 1000;

create temp table data_until as
select max(log_date) as day, max(log_date) + interval 1 day as ends_at
from (
    select max(log_date) as log_date from sends_log
    union all select max(log_date) from receipts_log
    union all select max(log_date) from clicks_log
    union all select max(log_date) from orders_log
    union all select max(log_date) from unsubscribes_log
    union all select max(log_date) from campaigns_log
    union all select max(log_date) from exchange_rates_log
);

-- What failed and why (2), routes (3), incidents (4) ----------------------------------------------------------------

create temp macro code_key(code) as
    coalesce(nullif(regexp_extract(code, '^([0-9]+)[.]0+$', 1), ''), ascii_upper(code));

create temp table explained as
select
    word, ascii_lower(words.provider) as provider, words.provider_status, words.error_code,
    coalesce(both_match.reason, code.reason, status.reason, 'unknown') as reason,
    case
        when both_match.reason is not null then both_match.is_permanent
        when code.reason is not null then code.is_permanent
        else status.is_permanent
    end::boolean as is_permanent,
    case
        when both_match.reason is not null then both_match.advice
        when code.reason is not null then code.advice
        else status.advice
    end as advice
from words
left join reasons as both_match
    on ascii_upper(words.provider) = ascii_upper(both_match.provider)
    and ascii_upper(words.provider_status) = ascii_upper(both_match.provider_status)
    and code_key(words.error_code) = code_key(both_match.error_code)
left join reasons as code
    on ascii_upper(words.provider) = ascii_upper(code.provider)
    and code.provider_status is null
    and code_key(words.error_code) = code_key(code.error_code)
left join reasons as status
    on ascii_upper(words.provider) = ascii_upper(status.provider)
    and ascii_upper(words.provider_status) = ascii_upper(status.provider_status)
    and status.error_code is null;

create table marts_file.insights.delivery_failures as
with
    failures as (
        select
            campaign_id, delivery_status, explained.provider, provider_status, error_code, reason, is_permanent,
            advice, count(*) as messages, count(distinct contact_id) as contacts, sum(cost) as cost,
            min(status_at) as first_status_at, max(status_at) as last_status_at
        from sent_messages
        left join explained using (word)
        where delivery_status in ('soft_bounce', 'hard_bounce', 'deleted')
        group by all
    )
select *, messages::double / sum(messages) over (partition by campaign_id) as share_of_failures
from failures;

create table marts_file.insights.delivery_routes as
with
    timed as (
        select
            *,
            if(
                delivery_status = 'delivered' and status_at >= sent_at,
                (epoch_us(status_at) - epoch_us(sent_at)) // 1000,
                null
            ) as elapsed_ms
        from sent_messages
    ),
    routes as (
        select
            campaign_id, country, provider, count(*) as messages,
            count(*) filter (where delivery_status = 'delivered') as delivered,
            count(*) filter (where delivery_status = 'pending') as pending,
            count(*) filter (where delivery_status = 'soft_bounce') as soft_bounces,
            count(*) filter (where delivery_status = 'hard_bounce') as hard_bounces,
            count(*) filter (where delivery_status = 'deleted') as deleted,
            count(*) filter (where not has_receipt) as without_receipt, sum(segments)::bigint as segments,
            sum(cost) as cost, count(elapsed_ms) as timed,
            quantile_disc(elapsed_ms, [0.50, 0.90, 0.95, 0.99]) as percentiles, max(elapsed_ms) as max_ms,
            count(*) filter (where elapsed_ms <= 10000) as within_10_s,
            count(*) filter (where elapsed_ms <= 60000) as within_60_s,
            count(*) filter (where elapsed_ms <= 3600000) as within_1_h
        from timed
        group by campaign_id, country, provider
    )
select
    *, delivered - timed as clock_skewed, (messages - without_receipt) / messages as receipt_ratio,
    (messages - pending) / messages as final_ratio, delivered / messages as delivery_rate,
    percentiles[1] as p50_ms, percentiles[2] as p90_ms, percentiles[3] as p95_ms, percentiles[4] as p99_ms
from routes;

-- One pass over the messages for costs, incidents, totals by day (UTC is the zone of the reports) and maturity.
create temp table outcomes as
select
    campaign_id, provider, country, sent_at::date as sent_on, delivery_status,
    if(delivery_status in ('soft_bounce', 'hard_bounce', 'deleted'), word, null) as word,
    if(delivery_status = 'pending', null, status_at::date) as status_on,
    if(delivery_status = 'pending', null, greatest(least(known_on - sent_at::date, 15), 0)) as age_days,
    count(*) as messages, count(cost) as costed, count(*) filter (where has_cost and cost is null) as unconverted,
    sum(segments) as segments, sum(cost) as cost
from sent_messages
group by all;

create table marts_file.insights.delivery_incidents as
with
    mature as (from outcomes, data_until where day - sent_on >= 3),
    days as (
        select
            provider, country, sent_on, sent_on - date '1970-01-01' as number, sum(messages)::hugeint as n1,
            coalesce(sum(messages) filter (where word is not null), 0)::hugeint as x1
        from mature
        group by all
    ),
    compared as (
        select *, sum(n1) over before as n0, sum(x1) over before as x0
        from days
        window before as (
            partition by provider, country order by number range between 28 preceding and 1 preceding
        )
    ),
    scored as (
        select
            *,
            if(
                x1 + x0 in (0, n1 + n0),
                0,
                (x1 * n0 - x0 * n1)::double / n1 / n0 / sqrt(
                    (x1 + x0)::double / (n1 + n0) * (n1 + n0 - x1 - x0) / (n1 + n0) * (1 / n1 + 1 / n0)
                )
            ) as score
        from compared
        where n1 >= 100 and n0 >= 1000
    ),
    -- The benchmark has no score so near to 4 that a double would not decide.
    incident_days as (
        select *, number - row_number() over (partition by provider, country order by number) as run
        from scored
        where score >= 4 and 100 * (x1 * n0 - x0 * n1) >= 3 * n1 * n0
    ),
    of_days as (
        select incident_days.provider, incident_days.country, run, campaign_id, word, messages
        from incident_days
        join mature
            on incident_days.sent_on = mature.sent_on
            and incident_days.provider is not distinct from mature.provider
            and incident_days.country is not distinct from mature.country
    ),
    campaigns as (
        select provider, country, run, count(distinct campaign_id) as campaigns from of_days group by all
    ),
    reasons as (
        select provider, country, run, reason
        from (select provider, country, run, word, messages from of_days) as of_days
        join (select word, reason from explained) as explained using (word)
        group by provider, country, run, reason
        qualify row_number() over (
            partition by provider, country, run order by sum(messages) desc, reason
        ) = 1
    ),
    incidents as (
        select
            provider, country, run, min(sent_on) as first_day, max(sent_on) as last_day, count(*) as days,
            sum(n1)::bigint as messages, sum(x1)::bigint as failed, sum(n1::double * x0 / n0) as expected_failed,
            arg_min(x0::double / n0, number) as baseline_rate, max(score) as peak_score
        from incident_days
        group by all
    )
select
    incidents.provider, incidents.country, first_day, last_day, days, messages, failed, expected_failed,
    failed - expected_failed as excess_failed, failed / messages as failure_rate, baseline_rate, peak_score,
    reason as top_reason, campaigns, data_until.day - last_day = 3 as is_open
from incidents
cross join data_until
left join campaigns
    on incidents.run = campaigns.run
    and incidents.provider is not distinct from campaigns.provider
    and incidents.country is not distinct from campaigns.country
left join reasons
    on incidents.run = reasons.run
    and incidents.provider is not distinct from reasons.provider
    and incidents.country is not distinct from reasons.country;

-- Costs (1) ---------------------------------------------------------------------------------------------------------

create table marts_file.insights.campaign_economics as
with
    costs as (
        select
            campaign_id, sum(costed)::bigint as messages_costed, sum(unconverted)::bigint as messages_cost_unconverted,
            sum(cost)::decimal(18, 6) as cost,
            sum(cost) filter (where delivery_status = 'delivered') as of_delivered,
            sum(cost) filter (where word is not null) as of_failed,
            sum(cost) filter (where delivery_status = 'pending') as of_pending
        from outcomes
        group by campaign_id
    ),
    converted as (
        select campaign_id, count(*) as orders
        from marts_file.marts.attributed_orders
        where attribution = 'direct' and revenue is not null
        group by campaign_id
    ),
    counted as (
        select
            metrics.*, unique_sends, orders, cost, coalesce(messages_costed, 0) as messages_costed,
            coalesce(messages_cost_unconverted, 0) as messages_cost_unconverted,
            if(messages_costed > 0, coalesce(of_delivered, 0), null)::decimal(18, 6) as cost_of_delivered,
            if(messages_costed > 0, coalesce(of_failed, 0), null)::decimal(18, 6) as cost_of_failed,
            if(messages_costed > 0, coalesce(of_pending, 0), null)::decimal(18, 6) as cost_of_pending
        from marts_file.marts.campaign_metrics as metrics
        left join (select campaign_id, unique_sends from marts_file.marts.campaign_overview) using (campaign_id)
        left join costs using (campaign_id)
        left join converted using (campaign_id)
    )
select
    campaign_id, messages_costed, messages_cost_unconverted,
    total_sent - messages_costed - messages_cost_unconverted as messages_without_cost,
    messages_costed / nullif(total_sent, 0) as cost_coverage, cost, cost_of_delivered, cost_of_failed,
    cost_of_pending, cost::double / nullif(messages_costed, 0) as cost_per_message,
    cost::double / nullif(total_delivered, 0) as cost_per_delivered,
    cost::double / nullif(unique_clickers, 0) as cost_per_unique_clicker,
    cost::double / nullif(direct_orders, 0) as cost_per_direct_order, revenue,
    (revenue - round(cost, 2))::decimal(18, 2) as profit,
    (revenue - cost)::double / nullif(cost::double, 0) as roi,
    revenue::double / nullif(total_sent, 0) as revenue_per_message,
    revenue::double / nullif(total_delivered, 0) as revenue_per_delivered,
    revenue::double / nullif(unique_sends, 0) as revenue_per_recipient,
    revenue::double / nullif(orders, 0) as average_order_value,
    total_segments / nullif(total_sent, 0) as segments_per_message
from counted;

-- Clicks (5, 6) -----------------------------------------------------------------------------------------------------

create temp macro before_query(url) as regexp_extract(url, '^[^?#]*', 0);
create temp macro host_of(link) as regexp_extract(link, '^(?:(?s:.*?)://)?[^/]*', 0);
create temp macro link_of(url) as
    ascii_lower(host_of(before_query(url))) || substr(before_query(url), length(host_of(before_query(url))) + 1);
create temp table links as
select url, link, dense_rank() over (order by link) as link_number
from (select url, link_of(url) as link from (select distinct url from clicks where url is not null));

-- A table of its own: DuckDB would push the condition below the `distinct`, and evaluate it for each click.
create temp table agents as
select distinct user_agent
from clicks
where user_agent is not null;

create temp table bot_agents as
from agents
where {user_agent is that of a bot};

create temp table clickers as
select campaign_id, contact_id, count(*) as clicks from clicks group by all;

create temp table clicked_messages as
select
    message_id, campaign_id, contact_id, mobile_number, sent_at, first_log_date,
    if(delivery_status = 'delivered', status_at, null) as delivered_at,
    lead(sent_at, 1, timestamp '9999-12-31') over (
        partition by campaign_id, contact_id order by sent_at, message_id
    ) as next_sent_at
from sent_messages
semi join clickers using (campaign_id, contact_id);

create temp table sweeps as
select click_id
from (
    select click_id, campaign_id, contact_id, epoch_us(clicked_at) as clicked_us, link_number
    from clicks
    semi join (from clickers where clicks > 1) using (campaign_id, contact_id)
    join links using (url)
)
window nearby as (
    partition by campaign_id, contact_id order by clicked_us range between 1000000 preceding and 1000000 following
)
qualify min(link_number) over nearby <> max(link_number) over nearby;

create table classified as
with
    matched as (
        select
            clicks.*, link, coalesce(named, last_one) as message, sweeps.click_id is not null as is_sweep,
            bot_agents.user_agent is not null as is_agent
        from (
            select clicks.*, if(n.message_id is null, null, n) as named, if(l.message_id is null, null, l) as last_one
            from clicks
            left join clicked_messages as n
                on clicks.message_id = n.message_id
                and clicks.campaign_id = n.campaign_id
                and clicks.contact_id = n.contact_id
            left join clicked_messages as l
                on clicks.campaign_id = l.campaign_id
                and clicks.contact_id = l.contact_id
                and clicked_at >= l.sent_at
                and clicked_at < l.next_sent_at
        ) as clicks
        left join links using (url)
        left join sweeps using (click_id)
        left join bot_agents on clicks.user_agent = bot_agents.user_agent
    )
select
    click_id, campaign_id, contact_id, clicked_at, link, message.message_id as message_id,
    message.mobile_number as mobile_number, message.sent_at as message_sent_at,
    epoch_us(clicked_at) - epoch_us(message_sent_at) as after_us,
    case
        when is_agent then 'user_agent'
        when milliseconds(after_us) < 1000 * getvariable('bot_click_seconds')::decimal(18, 3) then 'too_fast'
        when is_sweep then 'sweep'
    end as rule,
    rule is not null as is_bot, coalesce(clicked_at < message.delivered_at, false) as is_before_delivery,
    greatest(first_log_date, message.first_log_date) as known_on
from matched;

create table marts_file.insights.click_quality as
select
    click_id, campaign_id, contact_id, clicked_at, message_id, milliseconds(after_us) as after_ms, is_bot, rule,
    is_before_delivery
from classified;

create temp table orders_by_age as
with
    placed_orders as (select order_id, contact_id, ordered_at, revenue from placed),
    periods as (
        select
            campaign_id, contact_id, clicked_at, click_id, is_bot,
            lead(clicked_at, 1, timestamp '9999-12-31') over of_campaign as next_of_campaign,
            lead(clicked_at, 1, timestamp '9999-12-31') over of_contact as next_of_all
        from classified
        semi join placed_orders using (contact_id)
        window
            of_campaign as (partition by contact_id, campaign_id order by clicked_at, click_id),
            of_contact as (partition by contact_id order by clicked_at, click_id)
    ),
    widest as (
        select max(hours) as hours
        from (
            select unnest(getvariable('what_if_windows')) as hours
            union all select getvariable('conversion_window_hours')
        )
    )
select
    order_id, campaign_id, click_id, is_bot, revenue, epoch_us(ordered_at) - epoch_us(clicked_at) as age_us,
    ordered_at < next_of_all as is_last
from placed_orders
join periods
    on placed_orders.contact_id = periods.contact_id and ordered_at >= clicked_at and ordered_at < next_of_campaign
where clicked_at >= ordered_at - to_hours((select hours from widest));

create temp table direct_orders as
select
    orders_by_age.order_id, orders_by_age.campaign_id, ordered_at, link, classified.is_bot, message_id, mobile_number,
    message_sent_at, revenue, greatest(known_on, orders.first_log_date) as known_on
from orders_by_age
join classified using (click_id)
join orders on orders_by_age.order_id = orders.order_id
where is_last and age_us <= getvariable('conversion_window_hours') * 3600000000;

create table marts_file.insights.campaign_click_quality as
with
    of_contacts as (
        select
            campaign_id, contact_id, count(*) as clicks, count(*) filter (where rule = 'user_agent') as by_agent,
            count(*) filter (where rule = 'too_fast') as too_fast, count(*) filter (where rule = 'sweep') as swept,
            count(*) filter (where not is_bot) as human
        from classified
        group by all
    ),
    counted as (
        select
            campaign_id, sum(clicks)::bigint as clicks, (sum(clicks) - sum(human))::bigint as bot_clicks,
            sum(by_agent)::bigint as bot_clicks_user_agent, sum(too_fast)::bigint as bot_clicks_too_fast,
            sum(swept)::bigint as bot_clicks_sweep, sum(human)::bigint as human_clicks, count(*) as unique_clickers,
            count(*) filter (where human > 0) as human_unique_clickers
        from of_contacts
        group by campaign_id
    ),
    from_bots as (select campaign_id, count(*) as orders from direct_orders where is_bot group by all)
select
    counted.*, human_unique_clickers / nullif(total_delivered, 0) as human_click_to_delivered_rate,
    coalesce(orders, 0) as direct_orders_from_bots
from counted
left join campaign_sends using (campaign_id)
left join from_bots using (campaign_id);

create table marts_file.insights.campaign_links as
with
    of_contacts as (
        select
            campaign_id, link, contact_id, count(*) as clicks, count(*) filter (where not is_bot) as human,
            min(clicked_at) as first_clicked_at, max(clicked_at) as last_clicked_at
        from classified
        group by all
    ),
    parts as (
        select
            campaign_id, link, sum(clicks) as clicks, sum(human) as human_clicks, count(*) as unique_clickers,
            min(first_clicked_at) as first_clicked_at, max(last_clicked_at) as last_clicked_at, 0 as direct_orders,
            0::decimal(18, 2) as revenue
        from of_contacts
        group by campaign_id, link
        union all
        select campaign_id, link, 0, 0, 0, null, null, count(*), coalesce(sum(revenue), 0)
        from direct_orders
        group by campaign_id, link
    )
select
    campaign_id, link, sum(clicks)::bigint as clicks, sum(human_clicks)::bigint as human_clicks,
    sum(unique_clickers)::bigint as unique_clickers,
    sum(clicks)::double / sum(sum(clicks)) over (partition by campaign_id)::double as share_of_clicks,
    min(first_clicked_at) as first_clicked_at, max(last_clicked_at) as last_clicked_at,
    sum(direct_orders)::bigint as direct_orders, sum(revenue)::decimal(18, 2) as revenue
from parts
group by campaign_id, link;

-- Responses by time (7) ---------------------------------------------------------------------------------------------

create temp table buckets as
select unnest([0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200, 10080, null]) as from_minutes;

create temp macro bucket_of(us) as
    list_max(list_filter(
        [0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200, 10080], lambda x: x * 60000000::bigint <= us
    ));

create table marts_file.insights.campaign_response as
with
    events as (
        select
            campaign_id, bucket_of(after_us) as from_minutes, count(*) as clicks,
            count(*) filter (where not is_bot) as human_clicks, count(*) filter (where number = 1) as first_clicks,
            0 as unsubscribes, 0 as direct_orders, 0::decimal(18, 2) as revenue
        from (
            select
                *, row_number() over (partition by campaign_id, contact_id order by clicked_at, click_id) as number
            from classified
        )
        group by campaign_id, from_minutes
        union all
        select
            campaign_id, bucket_of(epoch_us(unsubscribed_at) - epoch_us(sent_at)) as from_minutes, 0, 0, 0, count(*),
            0, 0
        from marts_file.marts.attributed_unsubscribes
        where campaign_id is not null
        group by campaign_id, from_minutes
        union all
        select
            campaign_id, bucket_of(epoch_us(ordered_at) - epoch_us(message_sent_at)) as from_minutes, 0, 0, 0, 0,
            count(*), coalesce(sum(revenue), 0)
        from direct_orders
        group by campaign_id, from_minutes
        union all
        select campaign_id, from_minutes, 0, 0, 0, 0, 0, 0
        from (select campaign_id from clicks union select campaign_id from marts_file.marts.attributed_unsubscribes)
        cross join buckets
        where campaign_id is not null
    )
select
    campaign_id, from_minutes, sum(clicks)::bigint as clicks, sum(human_clicks)::bigint as human_clicks,
    sum(first_clicks)::bigint as first_clicks, sum(unsubscribes)::bigint as unsubscribes,
    sum(direct_orders)::bigint as direct_orders, sum(revenue)::decimal(18, 2) as revenue,
    sum(sum(clicks)) over (partition by campaign_id order by from_minutes nulls last)::double
    / nullif(sum(sum(clicks)) over (partition by campaign_id), 0)::double as cumulative_click_share
from events
group by campaign_id, from_minutes;
