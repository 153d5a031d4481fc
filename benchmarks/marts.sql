-- The hand-written build: from the admitted Parquet files to every mart, for DuckDB alone.
--
-- `baseline.py` has created the views `campaigns_log`, `sends_log`, … and the table `vocabulary`, has set the variables, has
-- run `rules.sql` and has attached the file of the marts as `marts_file`.

create schema marts_file.marts;
create type delivery_status as enum ('delivered', 'pending', 'soft_bounce', 'hard_bounce', 'deleted');

-- Finding the best compression of ids takes longer than the rest of writing them. Nobody else reads these tables.
set disabled_compression_methods = 'fsst,dict_fsst,dictionary';

-- Messages ----------------------------------------------------------------------------------------------------------

create temp table written as
select distinct provider, provider_status, error_code
from receipts_log;

create table words as from words_of('written');

-- `deciding` has nine bits for the combination of provider, status and error code.
select case when count(*) >= 512 then error('more than 511 combinations of provider, status and error code') end from words;

-- Few messages come twice. A hash finds them cheaply, and only they are sorted.
create temp table repeated_sends as
select hash(message_id) as key_hash
from sends_log
group by key_hash
having count(*) > 1;

create temp view sends_repeated as
from sends_log
semi join repeated_sends on hash(message_id) = key_hash;

create temp table sends_repeated_once as from sends_once('sends_repeated');

-- The last four columns are for the insights. Where they are not used, they are not read.
create temp view sends as
select
    message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason, provider, cost, cost_currency,
    log_date
from sends_log
anti join repeated_sends on hash(message_id) = key_hash
union all
select
    message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason, provider, cost, cost_currency,
    log_date
from sends_repeated_once;

create table skipped as
select message_id, campaign_id, contact_id, mobile_number, sent_at, segments, skip_reason
from sends
where skip_reason is not null;

create temp view sent as
from sends where skip_reason is null;

create temp view reported as from reported_of('receipts_log');

create table messages as
from messages_of('sent', 'reported');

create temp view sent_messages as
from messages where campaign_id is not null;

create table unmatched as
select distinct message_id, provider, provider_status, error_code, occurred_at
from receipts_log
semi join (from messages where campaign_id is null) as not_sent using (message_id);

create table unmapped as
select distinct message_id, receipts_log.provider, receipts_log.provider_status, receipts_log.error_code, occurred_at
from receipts_log
semi join (from words where delivery_status is null) as unknown
    on receipts_log.provider = unknown.provider
    and receipts_log.provider_status = unknown.provider_status
    and receipts_log.error_code is not distinct from unknown.error_code;

create table bounces as
select mobile_number, count(*) as hard_bounces
from sent_messages
where delivery_status = 'hard_bounce'
group by mobile_number;

create temp view messages_in_question as
from sent_messages
semi join (
    from bounces where hard_bounces >= getvariable('hard_bounces_to_suppress')
) as in_question using (mobile_number);

create table suppressed as from suppressed_of('messages_in_question');

-- The small logs ----------------------------------------------------------------------------------------------------

create table clicks as from clicks_once('clicks_log');
create table orders as from orders_once('orders_log');
create table rates as from rates_once('exchange_rates_log');
create table unsubscribes as from unsubscribes_once('unsubscribes_log');

create temp table placed as from placed_of('orders');

-- Marts -------------------------------------------------------------------------------------------------------------

set disabled_compression_methods = '';

create table marts_file.marts.campaigns as from campaigns_once('campaigns_log');
create table marts_file.marts.delivery_status as from delivery_status_of('sent_messages');
create table marts_file.marts.skip_reasons as from skip_reasons_of('skipped');
create table marts_file.marts.suppressed_numbers as select * exclude (sent_at) from suppressed;
create table marts_file.marts.attributed_orders as from attributed_orders_of('placed');
create table marts_file.marts.unconverted_orders as from unconverted_of('placed');
create table marts_file.marts.attributed_unsubscribes as from attributed_unsubscribes_of('unsubscribes');

create table campaign_sends as from campaign_sends_of('sent_messages', 'skipped');
create table campaign_contacts as from campaign_contacts_of('marts_file.marts.delivery_status');
create table campaign_clicks as from campaign_clicks_of('clicks');

create table marts_file.marts.campaign_clicks_hourly as from campaign_clicks_hourly_of('clicks');
create table marts_file.marts.campaign_clicks_by_minute as from campaign_clicks_by_minute_of('clicks');
create table marts_file.marts.campaign_metrics as from campaign_metrics_of('campaign_sends');
create table marts_file.marts.campaign_overview as from campaign_overview_of('campaign_sends');
create table marts_file.marts.unmapped_receipts as from unmapped_receipts_of('unmapped');
create table marts_file.marts.unmatched_events as from unmatched_events_of('unmatched');
