{#
    For a model that keeps receipts of some kind aside: those of the messages that this run touches, of its kind or not.
    What it holds of them already, and what has come; the whole lake only for messages of which rows were taken away.
#}
{% macro receipts_of_touched_messages() -%}
select message_id, provider, provider_status, error_code, occurred_at
from {{ this }}
semi join (
    select message_id from {{ ref('touched_messages') }}
    where version = 'now' and not is_read_again
) using (message_id)

union all

select message_id, provider, provider_status, error_code, occurred_at
from {{ source('changes', 'receipts') }}
where change = 'added'
{%- if takes_away('sends') or takes_away('receipts') %}

union all

select message_id, provider, provider_status, error_code, occurred_at
from {{ ref('stg_logs__receipts') }}
semi join (
    select message_id from {{ ref('touched_messages') }}
    where version = 'now' and is_read_again
) using (message_id)
{%- endif %}
{%- endmacro %}
