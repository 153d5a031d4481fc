-- The hand-written night: from the admitted Parquet of one more day to every mart, by the keys that it touches.
--
-- For days that are only added. `campaigns_log`, `sends_log`, … are the rows of that day; the state is that of the
-- rebuild (`marts.sql`) or of the night before. Rows of the day are put together with those that were kept before of the
-- same keys, and go through the rules (`rules.sql`) again.

-- As in the rebuild.
set disabled_compression_methods = 'fsst,dict_fsst,dictionary';

-- Messages ----------------------------------------------------------------------------------------------------------

-- New words get numbers of their own, and may come between the old ones in strength.
create temp table written as
select provider, provider_status, error_code, word
from words
union all
select distinct receipts_log.provider, receipts_log.provider_status, receipts_log.error_code, null
from receipts_log
anti join words
    on receipts_log.provider = words.provider
    and receipts_log.provider_status = words.provider_status
    and receipts_log.error_code is not distinct from words.error_code;

create or replace table words as from words_of('written');
select case when count(*) >= 512 then error('more than 511 different words in receipts') end from words;

create temp table message_ids as
select message_id from sends_log
union
select message_id from receipts_log;

-- Looked up by their ids alone, in all of history; then read as far back as the oldest of them. No row of `messages` is
-- deleted, so its row ids hold.
set variable since = (select min(sent_at) from messages semi join message_ids using (message_id));

create temp table known as
select rowid as place, *
from messages
semi join message_ids using (message_id)
where sent_at >= getvariable('since') or sent_at is null;

create temp table known_skipped as
from skipped
semi join message_ids using (message_id);

create temp view sends_rows as
select * exclude (source_file, row_number, log_date)
from sends_log
union all by name
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments
from known
where campaign_id is not null
union all by name
from known_skipped;

create temp table sends as from sends_once('sends_rows');

create temp view sent as
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments
from sends
where skip_reason is null;

create temp view reported as
select message_id, max(deciding) as deciding
from (
    select message_id, deciding(delivery_status, occurred_at, strength) as deciding
    from receipts_log
    join words
        on receipts_log.provider = words.provider
        and receipts_log.provider_status = words.provider_status
        and receipts_log.error_code is not distinct from words.error_code
    union all
    select message_id, deciding(words.delivery_status, status_at, strength)
    from known
    left join words using (word)
)
group by message_id;

create temp table changes as
select resolved.*, columns(known.* exclude (message_id, status_at)) as 'old_\0'
from messages_of('sent', 'reported') as resolved
left join known using (message_id)
where known.place is null
    or (resolved.campaign_id, resolved.contact_id, resolved.mobile_number, resolved.sent_at, resolved.segments,
        resolved.delivery_status, resolved.status_at, resolved.word)
    is distinct from
    (known.campaign_id, known.contact_id, known.mobile_number, known.sent_at, known.segments,
        known.delivery_status, known.status_at, known.word);

update messages
set campaign_id = moved.campaign_id, contact_id = moved.contact_id, mobile_number = moved.mobile_number,
    sent_at = moved.sent_at, segments = moved.segments
from (
    from changes
    where (campaign_id, contact_id, mobile_number, sent_at, segments)
        is distinct from (old_campaign_id, old_contact_id, old_mobile_number, old_sent_at, old_segments)
) as moved
where messages.rowid = old_place;

update messages
set delivery_status = changes.delivery_status, status_at = changes.status_at, word = changes.word
from changes
where messages.rowid = old_place;

insert into messages
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments, delivery_status, status_at, word
from changes
where old_place is null
order by sent_at;

-- Each message as it is and as it was, where it was sent.
create temp table sides as
select
    'new' as side, campaign_id, contact_id, mobile_number, sent_at, message_id, delivery_status,
    (campaign_id, contact_id, sent_at) is distinct from (old_campaign_id, old_contact_id, old_sent_at) as is_moved
from changes
where campaign_id is not null
union all
select
    'old', old_campaign_id, old_contact_id, old_mobile_number, old_sent_at, message_id, old_delivery_status,
    (campaign_id, contact_id, sent_at) is distinct from (old_campaign_id, old_contact_id, old_sent_at)
from changes
where old_campaign_id is not null;

create temp table skipped_now as
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason
from sends
where skip_reason is not null;

delete from skipped using known_skipped where skipped.message_id = known_skipped.message_id;
insert into skipped from skipped_now;

-- Receipts of messages that were not sent, or whose words nobody knows ------------------------------------------------

delete from unmatched
using changes
where unmatched.message_id = changes.message_id and changes.campaign_id is not null and old_campaign_id is null;

insert into unmatched
select distinct message_id, provider, provider_status, error_code, occurred_at
from receipts_log
anti join sent using (message_id)
anti join unmatched
    on receipts_log.message_id = unmatched.message_id
    and receipts_log.provider = unmatched.provider
    and receipts_log.provider_status = unmatched.provider_status
    and receipts_log.error_code is not distinct from unmatched.error_code
    and receipts_log.occurred_at = unmatched.occurred_at;

create temp table unknown_words as
select distinct words.provider, words.provider_status, words.error_code
from words
join receipts_log
    on receipts_log.provider = words.provider
    and receipts_log.provider_status = words.provider_status
    and receipts_log.error_code is not distinct from words.error_code
where delivery_status is null;

insert into unmapped
select distinct message_id, provider, provider_status, error_code, occurred_at
from receipts_log
semi join unknown_words
    on receipts_log.provider = unknown_words.provider
    and receipts_log.provider_status = unknown_words.provider_status
    and receipts_log.error_code is not distinct from unknown_words.error_code
anti join unmapped
    on receipts_log.message_id = unmapped.message_id
    and receipts_log.provider = unmapped.provider
    and receipts_log.provider_status = unmapped.provider_status
    and receipts_log.error_code is not distinct from unmapped.error_code
    and receipts_log.occurred_at = unmapped.occurred_at;

-- Campaigns, as the campaigns log tells of them -----------------------------------------------------------------------

create temp view campaigns_rows as
from campaigns_log
union all by name
select * exclude (last_modified_by, last_modified_at), last_modified_by as modified_by, last_modified_at as modified_at
from marts_file.marts.campaigns
semi join campaigns_log using (campaign_id);

create temp table campaigns_now as
from campaigns_once('campaigns_rows')
except
from marts_file.marts.campaigns;

create temp table campaigns_renamed as
select campaigns_now.campaign_id, campaigns_now.campaign_name
from campaigns_now
left join marts_file.marts.campaigns as before using (campaign_id)
where campaigns_now.campaign_name is distinct from before.campaign_name;

delete from marts_file.marts.campaigns using campaigns_now where campaigns.campaign_id = campaigns_now.campaign_id;
insert into marts_file.marts.campaigns from campaigns_now;

-- Skipped messages ----------------------------------------------------------------------------------------------------

delete from marts_file.marts.skip_reasons
using known_skipped
where skip_reasons.message_id = known_skipped.message_id;

insert into marts_file.marts.skip_reasons from skip_reasons_of('skipped_now');

update marts_file.marts.skip_reasons
set campaign_name = campaigns_renamed.campaign_name
from campaigns_renamed
where skip_reasons.campaign_id = campaigns_renamed.campaign_id;

-- Contacts of campaigns -----------------------------------------------------------------------------------------------

create temp table pairs_touched as
select distinct campaign_id, contact_id from sides;

create temp table campaigns_sent as
select campaign_id from sides
union
select campaign_id from skipped_now
union
select campaign_id from known_skipped;

-- No message of these campaigns is older: what was sent before need not be read.
set variable since = (
    select least(
        (select min(sent_at) from sides),
        (select min(first_sent_at) from campaign_sends semi join campaigns_sent using (campaign_id))
    )
);

create temp table messages_of_campaigns as
from messages
semi join campaigns_sent using (campaign_id)
where sent_at >= getvariable('since');

create temp view messages_of_pairs as
from messages_of_campaigns
semi join pairs_touched using (campaign_id, contact_id);

delete from marts_file.marts.delivery_status
using pairs_touched
where delivery_status.campaign_id = pairs_touched.campaign_id
    and delivery_status.contact_id = pairs_touched.contact_id
    and last_sent_at >= getvariable('since');

insert into marts_file.marts.delivery_status from delivery_status_of('messages_of_pairs') order by last_sent_at;

create temp view contacts_of_campaigns as
from marts_file.marts.delivery_status
semi join campaigns_sent using (campaign_id)
where last_sent_at >= getvariable('since');

create temp view skipped_of_campaigns as
from skipped
semi join campaigns_sent using (campaign_id);

delete from campaign_sends using campaigns_sent where campaign_sends.campaign_id = campaigns_sent.campaign_id;
insert into campaign_sends from campaign_sends_of('messages_of_campaigns', 'skipped_of_campaigns');
delete from campaign_contacts using campaigns_sent where campaign_contacts.campaign_id = campaigns_sent.campaign_id;
insert into campaign_contacts from campaign_contacts_of('contacts_of_campaigns');

-- Suppressed numbers --------------------------------------------------------------------------------------------------

merge into bounces
using (
    select mobile_number, sum(if(side = 'new', 1, -1)) as hard_bounces
    from sides
    where delivery_status = 'hard_bounce'
    group by mobile_number
) as more
on bounces.mobile_number = more.mobile_number
when matched then update set hard_bounces = bounces.hard_bounces + more.hard_bounces
when not matched then insert values (more.mobile_number, more.hard_bounces);

-- A number that is suppressed stays so by the same message, unless something changed at or before it; one that is not
-- can become so only where a hard bounce came, or what stood between two went.
create temp table numbers_in_question as
select distinct sides.mobile_number
from sides
left join suppressed using (mobile_number)
left join bounces using (mobile_number)
where delivery_status <> 'pending'
    and if(
        suppressed.mobile_number is null,
        hard_bounces >= getvariable('hard_bounces_to_suppress')
        and ((side = 'new') = (delivery_status = 'hard_bounce')),
        (sides.sent_at, sides.message_id) <= (suppressed.sent_at, suppressed.message_id)
    );

create temp view messages_in_question as
from messages
semi join numbers_in_question using (mobile_number)
where campaign_id is not null;

create temp table suppressed_now as from suppressed_of('messages_in_question');

delete from suppressed using numbers_in_question as touched where suppressed.mobile_number = touched.mobile_number;
insert into suppressed from suppressed_now;
delete from marts_file.marts.suppressed_numbers
using numbers_in_question as touched
where suppressed_numbers.mobile_number = touched.mobile_number;
insert into marts_file.marts.suppressed_numbers select * exclude (sent_at) from suppressed_now;

-- Clicks and orders ---------------------------------------------------------------------------------------------------

create temp table known_clicks as
from clicks
semi join clicks_log using (click_id);

create temp view clicks_rows as
from clicks_log
union all by name
from known_clicks;

create temp table clicks_now as
from clicks_once('clicks_rows')
except
from known_clicks;

create temp table clicks_before as
from known_clicks
semi join clicks_now using (click_id);

create temp view clicks_touched as
from clicks_now
union all
from clicks_before;

create temp table campaigns_clicked as
select distinct campaign_id from clicks_touched;

delete from clicks using clicks_before where clicks.click_id = clicks_before.click_id;
insert into clicks from clicks_now;

create temp view clicks_of_campaigns as
from clicks
semi join campaigns_clicked using (campaign_id);

delete from campaign_clicks
using campaigns_clicked
where campaign_clicks.campaign_id = campaigns_clicked.campaign_id;
insert into campaign_clicks from campaign_clicks_of('clicks_of_campaigns');

delete from marts_file.marts.campaign_clicks_hourly
using campaigns_clicked
where campaign_clicks_hourly.campaign_id = campaigns_clicked.campaign_id;
insert into marts_file.marts.campaign_clicks_hourly from campaign_clicks_hourly_of('clicks_of_campaigns');

create temp view rates_rows as
from exchange_rates_log
union all by name
from rates
semi join exchange_rates_log using (currency, rate_date);

create temp table rates_now as
from rates_once('rates_rows')
except
from rates;

delete from rates
using rates_now
where rates.currency = rates_now.currency and rates.rate_date = rates_now.rate_date;
insert into rates from rates_now;

create temp table known_orders as
from orders
semi join orders_log using (order_id);

create temp view orders_rows as
from orders_log
union all by name
from known_orders;

create temp table orders_now as
from orders_once('orders_rows')
except
from known_orders;

delete from orders using orders_now where orders.order_id = orders_now.order_id;
insert into orders from orders_now;

create temp table orders_touched as
select * from orders semi join orders_now using (order_id)
union
select * from orders semi join clicks_touched using (contact_id)
union
select *
from orders
semi join rates_now on orders.currency = rates_now.currency and ordered_at::date >= rate_date;

create temp table placed as from placed_of('orders_touched');
create temp table attributed_now as from attributed_orders_of('placed');

create temp table campaigns_ordered as
select campaign_id from attributed_now
union
select campaign_id from marts_file.marts.attributed_orders semi join orders_touched using (order_id);

delete from marts_file.marts.attributed_orders
using orders_touched
where attributed_orders.order_id = orders_touched.order_id;
insert into marts_file.marts.attributed_orders from attributed_now;

delete from marts_file.marts.unconverted_orders
using orders_touched
where unconverted_orders.order_id = orders_touched.order_id;
insert into marts_file.marts.unconverted_orders from unconverted_of('placed');

-- Unsubscribes --------------------------------------------------------------------------------------------------------

create temp table known_unsubscribes as
from unsubscribes
semi join unsubscribes_log using (contact_id, unsubscribed_at);

create temp view unsubscribes_rows as
from unsubscribes_log
union all by name
from known_unsubscribes;

create temp table unsubscribes_now as
from unsubscribes_once('unsubscribes_rows')
except
from known_unsubscribes;

delete from unsubscribes
using unsubscribes_now
where unsubscribes.contact_id = unsubscribes_now.contact_id
    and unsubscribes.unsubscribed_at = unsubscribes_now.unsubscribed_at;
insert into unsubscribes from unsubscribes_now;

create temp table unsubscribes_touched as
select * from unsubscribes_now
union
select unsubscribes.*
from unsubscribes
semi join (from sides where is_moved) as moved
    on unsubscribes.contact_id = moved.contact_id and unsubscribed_at >= sent_at;

create temp table unsubscribes_attributed as from attributed_unsubscribes_of('unsubscribes_touched');

create temp table campaigns_unsubscribed as
select campaign_id from unsubscribes_attributed
union
select campaign_id
from marts_file.marts.attributed_unsubscribes
semi join unsubscribes_touched using (contact_id, unsubscribed_at);

delete from marts_file.marts.attributed_unsubscribes
using unsubscribes_touched
where attributed_unsubscribes.contact_id = unsubscribes_touched.contact_id
    and attributed_unsubscribes.unsubscribed_at = unsubscribes_touched.unsubscribed_at;
insert into marts_file.marts.attributed_unsubscribes from unsubscribes_attributed;

update marts_file.marts.attributed_unsubscribes
set campaign_name = campaigns_renamed.campaign_name
from campaigns_renamed
where attributed_unsubscribes.campaign_id = campaigns_renamed.campaign_id;

-- Campaigns -----------------------------------------------------------------------------------------------------------

create temp table campaigns_touched as
select campaign_id from campaigns_now
union
select campaign_id from campaigns_sent
union
select campaign_id from campaigns_clicked
union
select campaign_id from campaigns_ordered
union
select campaign_id from campaigns_unsubscribed;

delete from marts_file.marts.campaign_metrics
using campaigns_touched
where campaign_metrics.campaign_id = campaigns_touched.campaign_id;
insert into marts_file.marts.campaign_metrics from campaign_metrics_of('campaigns_touched');

delete from marts_file.marts.campaign_overview
using campaigns_touched
where campaign_overview.campaign_id = campaigns_touched.campaign_id;
insert into marts_file.marts.campaign_overview from campaign_overview_of('campaigns_touched');

-- What did not fit ----------------------------------------------------------------------------------------------------

delete from marts_file.marts.unmapped_receipts
using unknown_words
where unmapped_receipts.provider = unknown_words.provider
    and unmapped_receipts.provider_status = unknown_words.provider_status
    and unmapped_receipts.error_code is not distinct from unknown_words.error_code;

create temp view unmapped_again as
from unmapped
semi join unknown_words
    on unmapped.provider = unknown_words.provider
    and unmapped.provider_status = unknown_words.provider_status
    and unmapped.error_code is not distinct from unknown_words.error_code;

insert into marts_file.marts.unmapped_receipts from unmapped_receipts_of('unmapped_again');

create or replace table marts_file.marts.unmatched_events as from unmatched_events_of('unmatched');

-- What others read is compressed as well as can be.
checkpoint;
set disabled_compression_methods = '';
checkpoint marts_file;
