{#
    A mart's rows by campaign: how many they are, and one digest of all that stands in them. A campaign's rows are the same
    as they were where both are. In an incremental run, of the touched campaigns alone; `within` is a moment of a row that
    lies in the time of its campaign.
#}
{% macro digested(mart, within=none) -%}
{%- set columns = graph.nodes['model.sendmart.' ~ mart].columns.keys() | list if execute else ['campaign_id'] -%}
with {% if is_incremental() -%}
touched as (

    {% for name in config.get('meta').touched_by -%}
    {{ 'union all ' if not loop.first }}select campaign_id from {{ ref(name) }}
    {% endfor %}
),

rows_of_mart as (

    {{ rows_with_key(ref(mart), ['campaign_id'], 'touched', within_touched_periods(within) if within else 'true') | indent(4) }}

)
{%- else -%}
rows_of_mart as (

    select * from {{ ref(mart) }}

)
{%- endif %}

select
    campaign_id,
    count(*) as rows_of_campaign,
    cast(bit_xor({{ hash_of(columns) }}) as string) as digest
from rows_of_mart
group by campaign_id
{%- endmacro %}
