-- The rules of the hand-written script as macros over tables that are given by name: keys, ties and formulas. `marts.sql`
-- calls them. They are the rules of the dbt project, written a second time.

-- One row per key: of several rows with a key, the first in this order.

create temp macro sends_once(rows) as table
    select *
    from query_table(rows)
    qualify row_number() over (
        partition by message_id
        order by
            skip_reason is not null, sent_at, campaign_id, contact_id, mobile_number desc, segments desc nulls last,
            skip_reason desc nulls last, provider desc nulls last, cost desc nulls last, cost_currency desc nulls last
    ) = 1;

create temp macro campaigns_once(rows) as table
    select
        campaign_id, campaign_name, campaign_type, body, media_url, sender, max_segments::bigint as max_segments,
        modified_by as last_modified_by, modified_at as last_modified_at
    from query_table(rows)
    qualify row_number() over (
        partition by campaign_id
        order by
            modified_at desc, campaign_name desc, campaign_type desc, body desc nulls last, media_url desc nulls last,
            sender desc nulls last, max_segments desc nulls last, modified_by desc
    ) = 1;

create temp macro clicks_once(rows) as table
    select click_id, campaign_id, contact_id, clicked_at
    from query_table(rows)
    qualify row_number() over (
        partition by click_id
        order by
            clicked_at, campaign_id, contact_id, message_id desc nulls last, url desc nulls last,
            user_agent desc nulls last
    ) = 1;

create temp macro orders_once(rows) as table
    select order_id, contact_id, ordered_at, total, refunded_amount, currency, status, updated_at
    from query_table(rows)
    qualify row_number() over (
        partition by order_id
        order by
            updated_at desc, status <> 'cancelled', contact_id desc, ordered_at desc, total desc, refunded_amount desc,
            currency desc
    ) = 1;

create temp macro unsubscribes_once(rows) as table
    select contact_id, unsubscribed_at, mobile_number, source
    from query_table(rows)
    qualify row_number() over (
        partition by contact_id, unsubscribed_at order by mobile_number desc nulls last, source desc nulls last
    ) = 1;

create temp macro rates_once(rows) as table
    select currency, rate_date, rate, base_currency
    from query_table(rows)
    where coalesce(base_currency, getvariable('reporting_currency')) = getvariable('reporting_currency')
    qualify row_number() over (
        partition by currency, rate_date order by rate desc, base_currency desc nulls last
    ) = 1;

-- Receipts ----------------------------------------------------------------------------------------------------------

-- Upper case of ASCII letters alone.
create temp macro ascii_upper(text) as
    translate(text, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ');

-- The delivery status of each combination of provider, status and error code. Of two receipts of one moment, the one with
-- the greater strength decides. `word`, the same number, stands for the combination in the table of messages.
create temp macro words_of(written) as table
    with
        translated as (
            select written.*, coalesce(exact.delivery_status, of_any.delivery_status) as delivery_status
            from query_table(written) as written
            left join vocabulary as exact
                on ascii_upper(written.provider) = ascii_upper(exact.provider)
                and ascii_upper(written.provider_status) = ascii_upper(exact.provider_status)
                and ascii_upper(written.error_code) = ascii_upper(exact.error_code)
            left join vocabulary as of_any
                on ascii_upper(written.provider) = ascii_upper(of_any.provider)
                and ascii_upper(written.provider_status) = ascii_upper(of_any.provider_status)
                and of_any.error_code is null
        ),
        ordered as (
            select
                *,
                row_number() over (
                    order by
                        case delivery_status
                            when 'deleted' then 3 when 'hard_bounce' then 2 when 'soft_bounce' then 1 else 0
                        end,
                        provider, provider_status, error_code nulls first
                ) as strength
            from translated
        )
    select
        provider, provider_status, error_code, delivery_status::delivery_status as delivery_status, strength,
        strength::usmallint as word
    from ordered;

-- A receipt as one number. The greatest number decides. It holds first the class (delivered, other final, pending), then its time
-- (the earliest delivered, the latest of the others, in 52 bits of microseconds), then its strength in nine bits. Null if
-- the vocabulary has no row for it.
create temp macro deciding(delivery_status, occurred_at, strength) as
    case delivery_status
        when 'delivered' then 3 * 4503599627370496 - epoch_us(occurred_at)
        when 'pending' then epoch_us(occurred_at)
        else if(delivery_status is null, null, 4503599627370496 + epoch_us(occurred_at))
    end * 512 + strength;

create temp macro reported_of(receipts) as table
    select message_id, max(deciding(delivery_status, occurred_at, strength)) as deciding
    from query_table(receipts) as receipts
    join words
        on receipts.provider = words.provider
        and receipts.provider_status = words.provider_status
        and receipts.error_code is not distinct from words.error_code
    group by message_id;

-- Every sent message with its deciding receipt; and, without a campaign, the messages that occur in receipts only.
create temp macro messages_of(sent, reported) as table
    select
        coalesce(sent.message_id, reported.message_id) as message_id,
        campaign_id,
        contact_id,
        mobile_number,
        sent_at,
        segments,
        coalesce(delivery_status, 'pending')::delivery_status as delivery_status,
        case
            when deciding is null then sent_at
            when delivery_status = 'delivered' then make_timestamp(3 * 4503599627370496 - deciding // 512)
            when delivery_status = 'pending' then make_timestamp(deciding // 512)
            else make_timestamp(deciding // 512 - 4503599627370496)
        end as status_at,
        words.word
    from query_table(sent) as sent
    full join query_table(reported) as reported on sent.message_id = reported.message_id
    left join words on reported.deciding % 512 = words.strength;

-- Contacts ----------------------------------------------------------------------------------------------------------

-- Few contacts get a campaign twice. A hash finds them cheaply, and only they are sorted.
create temp macro delivery_status_of(sent_messages) as table
    with
        repeated_contacts as (
            select hash(campaign_id, contact_id) as key_hash
            from query_table(sent_messages)
            group by key_hash
            having count(*) > 1
        ),
        once as (
            select *, 1::bigint as messages_sent, sent_at as last_sent_at
            from query_table(sent_messages)
            anti join repeated_contacts on hash(campaign_id, contact_id) = key_hash
        ),
        repeated as (
            select *
            from query_table(sent_messages)
            semi join repeated_contacts on hash(campaign_id, contact_id) = key_hash
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
        campaign_id, contact_id, mobile_number, contacts.delivery_status::varchar as delivery_status, messages_sent,
        message_id, last_sent_at, status_at, words.provider, provider_status, error_code
    from (from once union all from repeated_once) as contacts
    left join words using (word);

-- The first run of hard bounces of each number. The caller passes the numbers that have enough hard bounces.
create temp macro suppressed_of(sent_messages) as table
    with
        in_runs as (
            select
                *,
                sum((delivery_status <> 'hard_bounce')::integer) over (
                    partition by mobile_number order by sent_at, message_id
                    rows between unbounded preceding and current row
                ) as run
            from query_table(sent_messages)
            where delivery_status <> 'pending'
        ),
        counted as (
            select *, row_number() over (partition by mobile_number, run order by sent_at, message_id) as hard_bounces
            from in_runs
            where delivery_status = 'hard_bounce'
        )
    select mobile_number, status_at as suppressed_at, campaign_id, message_id, contact_id, sent_at
    from counted
    where hard_bounces = getvariable('hard_bounces_to_suppress') and getvariable('hard_bounce_suppression')
    qualify row_number() over (partition by mobile_number order by sent_at, message_id) = 1;

create temp macro skip_reasons_of(skipped) as table
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
    from query_table(skipped) as skipped
    left join marts_file.marts.campaigns using (campaign_id);

-- Attribution -------------------------------------------------------------------------------------------------------

create temp macro placed_of(orders) as table
    with
        periods as (
            select
                currency, rate, rate_date as valid_from,
                lead(rate_date, 1, date '9999-12-31') over (partition by currency order by rate_date) as valid_until
            from rates
        )
    select
        order_id, contact_id, ordered_at, kept.currency, total, refunded_amount,
        if(
            kept.currency = getvariable('reporting_currency'),
            round(total - refunded_amount, 2)::decimal(18, 2),
            round((total - refunded_amount)::decimal(38, 4) * rate, 2)::decimal(18, 2)
        ) as revenue
    from query_table(orders) as kept
    left join periods
        on kept.currency = periods.currency and ordered_at::date >= valid_from and ordered_at::date < valid_until
    where status = 'placed';

create temp macro attributed_orders_of(placed) as table
    with
        periods as (
            select
                *,
                lead(clicked_at, 1, timestamp '9999-12-31') over (
                    partition by contact_id, campaign_id order by clicked_at, click_id
                ) as next_clicked_at
            from clicks
            semi join query_table(placed) as placed using (contact_id)
        ),
        candidates as (
            select
                order_id, campaign_id, placed.contact_id, ordered_at, clicked_at, click_id, revenue, currency, total,
                refunded_amount,
                row_number() over (partition by order_id order by clicked_at desc, click_id desc) as recency
            from query_table(placed) as placed
            join periods
                on placed.contact_id = periods.contact_id
                and ordered_at >= clicked_at
                and ordered_at < next_clicked_at
            where clicked_at >= ordered_at - to_hours(getvariable('conversion_window_hours'))
        )
    select
        order_id, campaign_id, if(recency = 1, 'direct', 'assisted') as attribution, contact_id, ordered_at,
        clicked_at, click_id, revenue, currency, total, refunded_amount
    from candidates;

create temp macro unconverted_of(placed) as table
    -- The benchmark has no order whose revenue does not fit.
    select order_id, contact_id, ordered_at, currency, total, refunded_amount, 'no_exchange_rate' as reason
    from query_table(placed)
    where revenue is null;

create temp macro attributed_unsubscribes_of(unsubscribes) as table
    with
        periods as (
            select
                contact_id, campaign_id, message_id, sent_at,
                lead(sent_at, 1, timestamp '9999-12-31') over (
                    partition by contact_id order by sent_at, message_id
                ) as next_sent_at
            from messages
            semi join query_table(unsubscribes) as unsubscribes using (contact_id)
        )
    select
        unsubscribes.contact_id, unsubscribed_at, source, periods.campaign_id, campaign_name, message_id, sent_at
    from query_table(unsubscribes) as unsubscribes
    left join periods
        on unsubscribes.contact_id = periods.contact_id
        and unsubscribed_at >= sent_at
        and unsubscribed_at < next_sent_at
    left join marts_file.marts.campaigns on periods.campaign_id = campaigns.campaign_id;

-- Campaigns ---------------------------------------------------------------------------------------------------------

create temp macro campaign_sends_of(sent_messages, skipped) as table
    with
        of_messages as (
            select
                campaign_id, min(sent_at) as first_sent_at, max(sent_at) as last_sent_at,
                sum(segments)::bigint as total_segments,
                count(*) filter (where delivery_status = 'delivered') as total_delivered, count(*) as total_sent
            from query_table(sent_messages)
            group by campaign_id
        ),
        of_skipped as (
            select distinct campaign_id from query_table(skipped)
        )
    select
        campaign_id, first_sent_at, last_sent_at, coalesce(total_segments, 0) as total_segments,
        coalesce(total_delivered, 0) as total_delivered, coalesce(total_sent, 0) as total_sent
    from of_messages
    full join of_skipped using (campaign_id);

create temp macro campaign_contacts_of(contacts) as table
    select
        campaign_id,
        count(*) as unique_sends,
        count(*) filter (where delivery_status = 'delivered') as unique_deliveries,
        count(*) filter (where delivery_status = 'pending') as pending,
        count(*) filter (where delivery_status = 'soft_bounce') as soft_bounces,
        count(*) filter (where delivery_status = 'hard_bounce') as hard_bounces,
        count(*) filter (where delivery_status = 'deleted') as deleted
    from query_table(contacts)
    group by campaign_id;

create temp macro campaign_clicks_of(clicks) as table
    select
        campaign_id, count(*) as total_clicks, count(distinct contact_id) as unique_clickers,
        min(clicked_at) as first_clicked_at, max(clicked_at) as last_clicked_at
    from query_table(clicks)
    group by campaign_id;

create temp macro campaign_metrics_of(campaigns) as table
    with
        of_orders as (
            select
                campaign_id,
                count(*) filter (where attribution = 'direct') as direct_orders,
                count(*) filter (where attribution = 'assisted') as assisted_orders,
                sum(revenue) filter (where attribution = 'direct') as revenue,
                sum(revenue) filter (where attribution = 'assisted') as assisted_revenue
            from marts_file.marts.attributed_orders
            semi join query_table(campaigns) as wanted using (campaign_id)
            group by campaign_id
        ),
        of_unsubscribes as (
            select campaign_id, count(distinct contact_id) as unsubscribes
            from marts_file.marts.attributed_unsubscribes
            semi join query_table(campaigns) as wanted using (campaign_id)
            group by campaign_id
        ),
        counted as (
            select
                campaign_id, last_sent_at, campaign_name, last_modified_by, campaign_type, total_segments,
                total_delivered, total_sent,
                coalesce(total_clicks, 0) as total_clicks,
                coalesce(unique_clickers, 0) as unique_clickers,
                coalesce(direct_orders, 0) as direct_orders,
                coalesce(assisted_orders, 0) as assisted_orders,
                coalesce(revenue, 0)::decimal(18, 2) as revenue,
                coalesce(assisted_revenue, 0)::decimal(18, 2) as assisted_revenue,
                coalesce(unsubscribes, 0) as unsubscribes
            from (select campaign_id from query_table(campaigns)) as wanted
            join campaign_sends using (campaign_id)
            left join marts_file.marts.campaigns using (campaign_id)
            left join campaign_clicks using (campaign_id)
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

create temp macro campaign_overview_of(campaigns) as table
    select
        campaign_id, campaign_name, revenue,
        coalesce(unique_sends, 0) as unique_sends,
        coalesce(unique_deliveries, 0) as unique_deliveries,
        coalesce(pending, 0) as pending,
        coalesce(soft_bounces, 0) as soft_bounces,
        coalesce(hard_bounces, 0) as hard_bounces,
        coalesce(deleted, 0) as deleted,
        unsubscribes
    from (select campaign_id from query_table(campaigns)) as wanted
    join marts_file.marts.campaign_metrics using (campaign_id)
    left join campaign_contacts using (campaign_id);

-- Unmapped receipts and unmatched events ------------------------------------------------------------------------------

create temp macro unmapped_receipts_of(unmapped) as table
    select
        provider, provider_status, error_code, count(*) as receipts, count(distinct message_id) as messages,
        min(occurred_at) as first_occurred_at, max(occurred_at) as last_occurred_at
    from query_table(unmapped)
    group by provider, provider_status, error_code;

create temp macro campaign_clicks_hourly_of(clicks_of_campaigns) as table
    select
        campaign_id, date_trunc('hour', clicked_at) as hour_at, count(*) as clicks,
        count(distinct contact_id) as unique_clickers
    from query_table(clicks_of_campaigns)
    group by campaign_id, hour_at;

create temp macro campaign_clicks_by_minute_of(clicks_of_campaigns) as table
    select campaign_id, date_trunc('minute', clicked_at) as minute_at, count(*) as clicks
    from query_table(clicks_of_campaigns)
    group by campaign_id, minute_at;

create temp macro unmatched_events_of(unmatched) as table
    select
        'receipts' as log, 'message_not_sent' as kind, count(*) as events, min(occurred_at) as first_at,
        max(occurred_at) as last_at
    from query_table(unmatched)
    union all
    select
        'clicks', 'campaign_never_sent', coalesce(sum(total_clicks), 0)::bigint, min(first_clicked_at),
        max(last_clicked_at)
    from campaign_clicks
    anti join (from campaign_sends where total_sent > 0) as sent using (campaign_id)
    union all
    select 'unsubscribes', 'nothing_sent_before', count(*), min(unsubscribed_at), max(unsubscribed_at)
    from marts_file.marts.attributed_unsubscribes
    where message_id is null;
