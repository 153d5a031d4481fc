-- The messages, clicks and orders of the hand-written build with the columns that the insights need. These macros take the
-- place of those in `rules.sql`; `marts.sql` calls them.
--
-- `baseline.py` has created the tables `prefixes`, `bot_patterns` and `reasons` from the reference tables.

create temp macro ascii_lower(text) as
    translate(text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');

create type provider as enum (
    select ascii_lower(provider)
    from (select distinct provider from sends_log union select distinct provider from receipts_log)
    where provider is not null
    group by all
    order by all
);
create type country as enum (select distinct country from prefixes order by all);

-- The rate of each day on which a message cost something in another currency.
create temp table cost_rates as
with
    periods as (
        select
            currency, rate, rate_date as valid_from,
            lead(rate_date, 1, date '9999-12-31') over (partition by currency order by rate_date) as valid_until
        from rates_once('exchange_rates_log')
    ),
    days as (
        select distinct cost_currency, sent_at::date as day
        from sends_log
        where cost is not null and cost_currency <> getvariable('reporting_currency')
    )
select cost_currency, day, rate
from days
join periods on cost_currency = currency and day >= valid_from and day < valid_until;

-- The longest prefix of the first digits of a number gives its country.
create temp table countries as
with
    lengths as (select distinct length(prefix) as length from prefixes),
    digits as (select substr(mobile_number, 2, (select max(length) from lengths)) as digits from sends_log group by all)
select digits, arg_max(country, length)::country as country
from digits
cross join lengths
join prefixes on substr(digits, 1, length) = prefix and length(prefix) = length
group by digits;

create or replace temp macro sends_once(rows) as table
    select * replace (min(log_date) over (partition by message_id) as log_date)
    from query_table(rows)
    qualify row_number() over (
        partition by message_id
        order by
            skip_reason is not null, sent_at, campaign_id, contact_id, mobile_number desc, segments desc nulls last,
            skip_reason desc nulls last, provider desc nulls last, cost desc nulls last, cost_currency desc nulls last
    ) = 1;

-- Behind the number of the deciding receipt: its log date, the least first.
create or replace temp macro reported_of(receipts) as table
    select
        message_id,
        max(
            deciding(delivery_status, occurred_at, strength)::hugeint * 65536
            + (65535 - (log_date - date '1970-01-01'))
        ) as deciding_and_date,
        min(if(delivery_status = 'delivered', log_date, null)) as delivered_on
    from query_table(receipts) as receipts
    join words
        on receipts.provider = words.provider
        and receipts.provider_status = words.provider_status
        and receipts.error_code is not distinct from words.error_code
    group by message_id;

create or replace temp macro messages_of(sent, reported) as table
    with
        numbered as (
            select *, (deciding_and_date >> 16)::bigint as deciding from query_table(reported)
        ),
        lower_words as (
            select strength, delivery_status, word, ascii_lower(provider)::provider as provider from words
        )
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
        lower_words.word,
        coalesce(
            lower_words.provider, ascii_lower(if(lower_words.word is null, sent.provider, null))::provider
        ) as provider,
        country,
        if(
            sent.cost_currency = getvariable('reporting_currency'),
            cost,
            try_cast(round(cost::decimal(38, 6) * rate, 6) as decimal(18, 6))
        ) as cost,
        cost is not null as has_cost,
        reported.message_id is not null as has_receipt,
        log_date as first_log_date,
        case
            when delivery_status = 'delivered' then greatest(delivered_on, log_date)
            when delivery_status <> 'pending'
                then greatest(date '1970-01-01' + (65535 - (deciding_and_date & 65535)::integer), log_date)
        end as known_on
    from query_table(sent) as sent
    full join numbered as reported on sent.message_id = reported.message_id
    left join lower_words on reported.deciding % 512 = lower_words.strength
    left join cost_rates on sent.cost_currency = cost_rates.cost_currency and sent_at::date = day
    left join countries on substr(mobile_number, 2, (select max(length(prefix)) from prefixes)) = digits;

create or replace temp macro clicks_once(rows) as table
    select
        click_id, campaign_id, contact_id, clicked_at, message_id, url, user_agent,
        min(log_date) over (partition by click_id) as first_log_date
    from query_table(rows)
    qualify row_number() over (
        partition by click_id
        order by
            clicked_at, campaign_id, contact_id, message_id desc nulls last, url desc nulls last,
            user_agent desc nulls last
    ) = 1;

create or replace temp macro orders_once(rows) as table
    select
        order_id, contact_id, ordered_at, total, refunded_amount, currency, status, updated_at,
        min(log_date) over (partition by order_id) as first_log_date
    from query_table(rows)
    qualify row_number() over (
        partition by order_id
        order by
            updated_at desc, status <> 'cancelled', contact_id desc, ordered_at desc, total desc, refunded_amount desc,
            currency desc
    ) = 1;
