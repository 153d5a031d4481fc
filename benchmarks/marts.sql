-- The hand-written rebuild: from the admitted Parquet to every mart, for DuckDB alone.
--
-- Views `campaigns_log`, `sends_log`, … and the table `vocabulary` are there already, the variables are set and the file
-- of the marts is attached as `marts_file` (`baseline.py`). Same keys, same ties, same rules as the dbt project.

create schema marts_file.marts;

-- Receipts ----------------------------------------------------------------------------------------------------------

-- What each provider's words mean, numbered so that of two receipts of one moment the one that counts has the greater
-- number. Upper case of ASCII letters alone.
create temp macro ascii_upper(text) as
    translate(text, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ');

create temp table words as
with
    written as (
        select distinct provider, provider_status, error_code
        from receipts_log
    ),
    translated as (
        select written.*, coalesce(exact.delivery_status, of_any.delivery_status) as delivery_status
        from written
        left join vocabulary as exact
            on ascii_upper(written.provider) = ascii_upper(exact.provider)
            and ascii_upper(written.provider_status) = ascii_upper(exact.provider_status)
            and ascii_upper(written.error_code) = ascii_upper(exact.error_code)
        left join vocabulary as of_any
            on ascii_upper(written.provider) = ascii_upper(of_any.provider)
            and ascii_upper(written.provider_status) = ascii_upper(of_any.provider_status)
            and of_any.error_code is null
    )
select
    *,
    row_number() over (
        order by
            case delivery_status when 'deleted' then 3 when 'hard_bounce' then 2 when 'soft_bounce' then 1 else 0 end,
            provider, provider_status, error_code nulls first
    ) as word
from translated;

-- One number a receipt, nine bits of which tell the words: fewer than 512 different ones, or this script is not enough.
select case when count(*) >= 512 then error('more than 511 different words in receipts') end from words;

-- Sends -------------------------------------------------------------------------------------------------------------

-- Few messages come twice: found by hash, which is cheap, and only these are put in order.
create temp table repeated_sends as
select hash(message_id) as key_hash
from sends_log
group by key_hash
having count(*) > 1;

create temp table sends_once as
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason
from sends_log
semi join repeated_sends on hash(message_id) = key_hash
qualify row_number() over (
    partition by message_id
    order by
        skip_reason is not null, sent_at, campaign_id, contact_id, mobile_number desc, segments desc nulls last,
        skip_reason desc nulls last, provider desc nulls last, cost desc nulls last, cost_currency desc nulls last
) = 1;

create temp view sends as
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason
from sends_log
anti join repeated_sends on hash(message_id) = key_hash
union all
select * from sends_once;

create temp table skipped as
select * from sends where skip_reason is not null;

-- Every message that was sent with its deciding receipt; and, with no campaign, messages that are known by their receipts
-- alone. The deciding receipt is the greatest number: a class (delivered, other final, pending), then time (the earliest
-- delivered, the latest of the others: 52 bits of microseconds), then the words.
create temp table messages as
with
    reported as (
        select
            message_id,
            max(
                case delivery_status
                    when 'delivered' then 3 * 4503599627370496 - epoch_us(occurred_at)
                    when 'pending' then epoch_us(occurred_at)
                    else if(delivery_status is null, null, 4503599627370496 + epoch_us(occurred_at))
                end * 512 + word
            ) as deciding
        from receipts_log
        join words
            on receipts_log.provider = words.provider
            and receipts_log.provider_status = words.provider_status
            and receipts_log.error_code is not distinct from words.error_code
        group by message_id
    ),
    sent as (
        select * from sends where skip_reason is null
    )
select
    coalesce(sent.message_id, reported.message_id) as message_id,
    campaign_id,
    contact_id,
    mobile_number,
    sent_at,
    segments,
    coalesce(delivery_status, 'pending') as delivery_status,
    case
        when deciding is null then sent_at
        when delivery_status = 'delivered' then make_timestamp(3 * 4503599627370496 - deciding // 512)
        when delivery_status = 'pending' then make_timestamp(deciding // 512)
        else make_timestamp(deciding // 512 - 4503599627370496)
    end as status_at,
    words.word
from sent
full join reported on sent.message_id = reported.message_id
left join words on reported.deciding % 512 = words.word;

-- Contacts ----------------------------------------------------------------------------------------------------------

create temp table repeated_contacts as
select hash(campaign_id, contact_id) as key_hash
from messages
where campaign_id is not null
group by key_hash
having count(*) > 1;

create table marts_file.marts.delivery_status as
with
    once as (
        select *, 1::bigint as messages_sent, sent_at as last_sent_at
        from messages
        anti join repeated_contacts on hash(campaign_id, contact_id) = key_hash
        where campaign_id is not null
    ),
    repeated as (
        select *
        from messages
        semi join repeated_contacts on hash(campaign_id, contact_id) = key_hash
        where campaign_id is not null
    ),
    repeated_once as (
        select *, count(*) over contact as messages_sent, max(sent_at) over contact as last_sent_at
        from repeated
        window contact as (partition by campaign_id, contact_id)
        qualify row_number() over (
            partition by campaign_id, contact_id
            order by
                delivery_status <> 'delivered',
                if(delivery_status = 'delivered', status_at, null),
                if(delivery_status = 'delivered', message_id, null),
                sent_at desc,
                message_id desc
        ) = 1
    )
select
    campaign_id, contact_id, mobile_number, contacts.delivery_status, messages_sent, message_id, last_sent_at, status_at,
    provider, provider_status, error_code
from (from once union all from repeated_once) as contacts
left join words using (word);

-- The small logs ----------------------------------------------------------------------------------------------------

create table marts_file.marts.campaigns as
select
    campaign_id, campaign_name, campaign_type, body, media_url, sender, max_segments::bigint as max_segments,
    modified_by as last_modified_by, modified_at as last_modified_at
from campaigns_log
qualify row_number() over (
    partition by campaign_id
    order by
        modified_at desc, campaign_name desc, campaign_type desc, body desc nulls last, media_url desc nulls last,
        sender desc nulls last, max_segments desc nulls last, modified_by desc
) = 1;

create temp table clicks as
select click_id, campaign_id, contact_id, clicked_at
from clicks_log
qualify row_number() over (
    partition by click_id
    order by
        clicked_at, campaign_id, contact_id, message_id desc nulls last, url desc nulls last, user_agent desc nulls last
) = 1;

create temp table rates as
select
    currency, rate, rate_date as valid_from,
    lead(rate_date, 1, date '9999-12-31') over (partition by currency order by rate_date) as valid_until
from (
    select *
    from exchange_rates_log
    where coalesce(base_currency, getvariable('reporting_currency')) = getvariable('reporting_currency')
    qualify row_number() over (
        partition by currency, rate_date order by rate desc, base_currency desc nulls last
    ) = 1
);

create temp table orders as
with
    kept as (
        select *
        from orders_log
        qualify row_number() over (
            partition by order_id
            order by
                updated_at desc, status <> 'cancelled', contact_id desc, ordered_at desc, total desc,
                refunded_amount desc, currency desc
        ) = 1
    )
select
    order_id, contact_id, ordered_at, kept.currency, total, refunded_amount,
    if(
        kept.currency = getvariable('reporting_currency'),
        (total - refunded_amount)::decimal(18, 2),
        round((total - refunded_amount)::decimal(38, 2) * rate, 2)::decimal(18, 2)
    ) as revenue
from kept
left join rates
    on kept.currency = rates.currency and ordered_at::date >= valid_from and ordered_at::date < valid_until
where status = 'placed';

create temp table unsubscribes as
select contact_id, unsubscribed_at, source
from unsubscribes_log
qualify row_number() over (
    partition by contact_id, unsubscribed_at order by mobile_number desc nulls last, source desc nulls last
) = 1;

-- Attribution -------------------------------------------------------------------------------------------------------

create table marts_file.marts.attributed_orders as
with
    periods as (
        select
            *,
            lead(clicked_at, 1, timestamp '9999-12-31') over (
                partition by contact_id, campaign_id order by clicked_at, click_id
            ) as next_clicked_at
        from clicks
        semi join orders using (contact_id)
    ),
    candidates as (
        select
            order_id, campaign_id, orders.contact_id, ordered_at, clicked_at, click_id, revenue, currency, total,
            refunded_amount,
            row_number() over (partition by order_id order by clicked_at desc, click_id desc) as recency
        from orders
        join periods
            on orders.contact_id = periods.contact_id
            and ordered_at >= clicked_at
            and ordered_at < next_clicked_at
        where clicked_at >= ordered_at - to_hours(getvariable('conversion_window_hours'))
    )
select
    order_id, campaign_id, if(recency = 1, 'direct', 'assisted') as attribution, contact_id, ordered_at, clicked_at,
    click_id, revenue, currency, total, refunded_amount
from candidates;

create table marts_file.marts.unconverted_orders as
select order_id, contact_id, ordered_at, currency, total, refunded_amount
from orders
where revenue is null;

create table marts_file.marts.attributed_unsubscribes as
with
    periods as (
        select
            contact_id, campaign_id, message_id, sent_at,
            lead(sent_at, 1, timestamp '9999-12-31') over (
                partition by contact_id order by sent_at, message_id
            ) as next_sent_at
        from messages
        semi join unsubscribes using (contact_id)
    )
select
    unsubscribes.contact_id, unsubscribed_at, source, periods.campaign_id, campaign_name, message_id, sent_at
from unsubscribes
left join periods
    on unsubscribes.contact_id = periods.contact_id
    and unsubscribed_at >= sent_at
    and unsubscribed_at < next_sent_at
left join marts_file.marts.campaigns on periods.campaign_id = campaigns.campaign_id;

create table marts_file.marts.suppressed_numbers as
with
    in_question as (
        select mobile_number
        from messages
        where campaign_id is not null and delivery_status = 'hard_bounce'
        group by mobile_number
        having count(*) >= getvariable('hard_bounces_to_suppress')
    ),
    in_runs as (
        select
            *,
            count(*) filter (where delivery_status <> 'hard_bounce') over (
                partition by mobile_number order by sent_at, message_id
                rows between unbounded preceding and current row
            ) as run
        from messages
        semi join in_question using (mobile_number)
        where campaign_id is not null and delivery_status <> 'pending'
    ),
    counted as (
        select *, row_number() over (partition by mobile_number, run order by sent_at, message_id) as hard_bounces
        from in_runs
        where delivery_status = 'hard_bounce'
    )
select mobile_number, status_at as suppressed_at, campaign_id, message_id, contact_id
from counted
where hard_bounces = getvariable('hard_bounces_to_suppress') and getvariable('hard_bounce_suppression')
qualify row_number() over (partition by mobile_number order by sent_at, message_id) = 1;

create table marts_file.marts.skip_reasons as
select
    skipped.campaign_id, campaign_name, contact_id, message_id, mobile_number, skip_reason,
    case skip_reason
        when 'SkippedNoContent' then 'The campaign has no content.'
        when 'SkippedHypersonalization' then 'Liquid markup in the campaign said to leave this contact out.'
        when 'FailedHypersonalization' then 'The Liquid markup in the campaign took too long to load.'
        when 'ContentTooLong'
            then 'The message was longer than the maximum number of segments set, or than 2,000 characters.'
    end as skip_reason_details,
    sent_at as skipped_at
from skipped
left join marts_file.marts.campaigns using (campaign_id);

-- Campaigns ---------------------------------------------------------------------------------------------------------

create table marts_file.marts.campaign_metrics as
with
    of_messages as (
        select
            campaign_id, max(sent_at) as last_sent_at, sum(segments) as total_segments,
            count(*) filter (where delivery_status = 'delivered') as total_delivered, count(*) as total_sent
        from messages
        where campaign_id is not null
        group by campaign_id
    ),
    in_log as (
        select campaign_id from of_messages
        union
        select campaign_id from skipped
    ),
    of_clicks as (
        select campaign_id, count(*) as total_clicks, count(distinct contact_id) as unique_clickers
        from clicks
        group by campaign_id
    ),
    of_orders as (
        select
            campaign_id,
            count(*) filter (where attribution = 'direct') as direct_orders,
            count(*) filter (where attribution = 'assisted') as assisted_orders,
            sum(revenue) filter (where attribution = 'direct') as revenue,
            sum(revenue) filter (where attribution = 'assisted') as assisted_revenue
        from marts_file.marts.attributed_orders
        group by campaign_id
    ),
    of_unsubscribes as (
        select campaign_id, count(distinct contact_id) as unsubscribes
        from marts_file.marts.attributed_unsubscribes
        where campaign_id is not null
        group by campaign_id
    ),
    counted as (
        select
            campaign_id, last_sent_at, campaign_name, last_modified_by, campaign_type,
            coalesce(total_segments, 0)::bigint as total_segments,
            coalesce(total_delivered, 0) as total_delivered,
            coalesce(total_sent, 0) as total_sent,
            coalesce(total_clicks, 0) as total_clicks,
            coalesce(unique_clickers, 0) as unique_clickers,
            coalesce(direct_orders, 0) as direct_orders,
            coalesce(assisted_orders, 0) as assisted_orders,
            coalesce(revenue, 0)::decimal(18, 2) as revenue,
            coalesce(assisted_revenue, 0)::decimal(18, 2) as assisted_revenue,
            coalesce(unsubscribes, 0) as unsubscribes
        from in_log
        left join of_messages using (campaign_id)
        left join marts_file.marts.campaigns using (campaign_id)
        left join of_clicks using (campaign_id)
        left join of_orders using (campaign_id)
        left join of_unsubscribes using (campaign_id)
    )
select
    campaign_id, last_sent_at, campaign_name,
    unique_clickers::double / nullif(total_delivered, 0) as click_to_delivered_rate,
    direct_orders::double / nullif(
        case getvariable('conversion_rate_denominator')
            when 'unique_clickers' then unique_clickers
            when 'total_delivered' then total_delivered
            when 'total_sent' then total_sent
        end,
        0
    ) as conversion_rate,
    direct_orders, assisted_orders, last_modified_by, revenue, assisted_revenue, total_segments, total_clicks,
    total_delivered, total_sent, campaign_type, unique_clickers, unsubscribes
from counted;

create table marts_file.marts.campaign_overview as
with
    of_contacts as (
        select
            campaign_id,
            count(*) as unique_sends,
            count(*) filter (where delivery_status = 'delivered') as unique_deliveries,
            count(*) filter (where delivery_status = 'pending') as pending,
            count(*) filter (where delivery_status = 'soft_bounce') as soft_bounces,
            count(*) filter (where delivery_status = 'hard_bounce') as hard_bounces,
            count(*) filter (where delivery_status = 'deleted') as deleted
        from marts_file.marts.delivery_status
        group by campaign_id
    )
select
    campaign_id, campaign_name, revenue,
    coalesce(unique_sends, 0) as unique_sends,
    coalesce(unique_deliveries, 0) as unique_deliveries,
    coalesce(pending, 0) as pending,
    coalesce(soft_bounces, 0) as soft_bounces,
    coalesce(hard_bounces, 0) as hard_bounces,
    coalesce(deleted, 0) as deleted,
    unsubscribes
from marts_file.marts.campaign_metrics
left join of_contacts using (campaign_id);

-- What did not fit --------------------------------------------------------------------------------------------------

create table marts_file.marts.unmapped_receipts as
select
    provider, provider_status, error_code, count(*) as receipts, count(distinct message_id) as messages,
    min(occurred_at) as first_occurred_at, max(occurred_at) as last_occurred_at
from (
    select distinct receipts_log.message_id, provider, provider_status, receipts_log.error_code, occurred_at
    from receipts_log
    semi join (from words where delivery_status is null) as unknown
        on receipts_log.provider = unknown.provider
        and receipts_log.provider_status = unknown.provider_status
        and receipts_log.error_code is not distinct from unknown.error_code
)
group by provider, provider_status, error_code;

create table marts_file.marts.unmatched_events as
select
    'receipts' as log, 'message_not_sent' as kind, count(*) as events, min(occurred_at) as first_at,
    max(occurred_at) as last_at
from (
    select distinct message_id, provider, provider_status, error_code, occurred_at
    from receipts_log
    semi join (from messages where campaign_id is null) as not_sent using (message_id)
)
union all
select 'clicks', 'campaign_never_sent', count(*), min(clicked_at), max(clicked_at)
from clicks
anti join (from marts_file.marts.campaign_metrics where total_sent > 0) as sent using (campaign_id)
union all
select 'unsubscribes', 'nothing_sent_before', count(*), min(unsubscribed_at), max(unsubscribed_at)
from marts_file.marts.attributed_unsubscribes
where message_id is null;
