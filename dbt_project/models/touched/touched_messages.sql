{#
    What is stored of a message stands for all that came of it before: its send for every send with its id, its deciding
    receipt for every receipt. Only where rows were taken away is the lake asked for all of them again.
#}
{%- set state = state_of('int_messages_resolved') -%}
{%- set lake_sends = ref('stg_logs__sends') -%}
{%- set lake_receipts = ref('stg_logs__receipts') -%}
{%- set columns = resolved_message_columns() | join(', ') -%}
{%- set send_columns = deduplication('sends').columns | join(', ') -%}

with provider_statuses as (

    select * from {{ ref('int_provider_statuses_mapped') }}

),

changed_sends as (

    select * from {{ source('changes', 'sends') }}

),

changed_receipts as (

    select * from {{ source('changes', 'receipts') }}

),
{% if state is none %}
sends as (

    select {{ send_columns }} from changed_sends
    where false

),

receipts as (

    select
        changed_receipts.message_id,
        changed_receipts.occurred_at,
        provider_statuses.delivery_status,
        provider_statuses.tie_rank
    from changed_receipts
    cross join provider_statuses
    where false

),

{{ resolved_messages() }}

select
    'now' as version,
    false as is_read_again,
    {{ columns }}
from messages_resolved
{% else %}
touched_keys as (

    select
        message_id,
        bool_or(change = 'removed') as is_removed
    from (
        select message_id, change from changed_sends
        union all
        select message_id, change from changed_receipts
    )
    group by message_id

),

removed_keys as (

    select message_id from touched_keys
    where is_removed

),

messages_before as (

    {{ rows_with_key(state, ['message_id'], 'touched_keys') | indent(4) }}

),

messages_kept as (

    select * from messages_before
    anti join removed_keys using (message_id)

),

send_candidates as (

    select {{ send_columns }} from changed_sends
    where change = 'added'

    union all

    select {{ send_columns }} from messages_kept
    where campaign_id is not null
    {%- if takes_away('sends') or takes_away('receipts') %}

    union all

    select {{ send_columns }}
    from {{ lake_sends }}
    semi join removed_keys using (message_id)
    {%- endif %}

),

sends as (

    {{ deduplicated('sends', 'send_candidates') | indent(4) }}

),

receipt_candidates as (

    select message_id, provider, provider_status, error_code, occurred_at from changed_receipts
    where change = 'added'
    {%- if takes_away('sends') or takes_away('receipts') %}

    union all

    select message_id, provider, provider_status, error_code, occurred_at
    from {{ lake_receipts }}
    semi join removed_keys using (message_id)
    {%- endif %}

),

receipts as (

    select
        receipt_candidates.message_id,
        receipt_candidates.occurred_at,
        provider_statuses.delivery_status,
        provider_statuses.tie_rank
    from receipt_candidates
    inner join provider_statuses
        on receipt_candidates.provider = provider_statuses.provider
        and receipt_candidates.provider_status = provider_statuses.provider_status
        and receipt_candidates.error_code is not distinct from provider_statuses.error_code

    union all

    -- Without a deciding receipt the row says at least that the message is known.
    select
        messages_kept.message_id,
        messages_kept.status_at as occurred_at,
        provider_statuses.delivery_status,
        provider_statuses.tie_rank
    from messages_kept
    left join provider_statuses
        on messages_kept.provider_status_number = provider_statuses.provider_status_number

),

{{ resolved_messages() }}

select
    'before' as version,
    false as is_read_again,
    {{ columns }}
from messages_before

union all

select
    'now' as version,
    touched_keys.is_removed as is_read_again,
    {{ columns }}
from messages_resolved
inner join touched_keys using (message_id)
{% endif %}
