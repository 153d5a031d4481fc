{# What engines write differently, and nothing else: each as `duckdb__…` and as `spark__…`. #}


{# A 64-bit hash of some columns, null counting as a value. Equal values, equal hashes; the reverse is only likely. #}
{% macro hash_of(columns) -%}
    {{ adapter.dispatch('hash_of')(columns) }}
{%- endmacro %}

{% macro spark__hash_of(columns) -%}
    xxhash64({{ columns | join(', ') }})
{%- endmacro %}

{% macro duckdb__hash_of(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}


{# A UTC timestamp as microseconds since 1970, and back. #}
{% macro microseconds_of(timestamp) -%}
    {{ adapter.dispatch('microseconds_of')(timestamp) }}
{%- endmacro %}

{# Timestamps without a zone are Spark's `timestamp` here; these two functions know those with one, and the zone is UTC. #}
{% macro spark__microseconds_of(timestamp) -%}
    unix_micros(cast({{ timestamp }} as timestamp_ltz))
{%- endmacro %}

{% macro duckdb__microseconds_of(timestamp) -%}
    epoch_us({{ timestamp }})
{%- endmacro %}

{% macro timestamp_of(microseconds) -%}
    {{ adapter.dispatch('timestamp_of')(microseconds) }}
{%- endmacro %}

{% macro spark__timestamp_of(microseconds) -%}
    cast(timestamp_micros({{ microseconds }}) as timestamp)
{%- endmacro %}

{% macro duckdb__timestamp_of(microseconds) -%}
    make_timestamp({{ microseconds }})
{%- endmacro %}


{# Two whole numbers from 0 as one value that sorts by the first, then by the second, which stays below 2^40; and back. Null
   where the first is. #}
{% macro packed(first, second) -%}
    {{ adapter.dispatch('packed')(first, second) }}
{%- endmacro %}

{% macro spark__packed(first, second) -%}
    case when {{ first }} is not null then named_struct('first', {{ first }}, 'second', {{ second }}) end
{%- endmacro %}

{% macro duckdb__packed(first, second) -%}
    cast({{ first }} as hugeint) * 1099511627776 + {{ second }}
{%- endmacro %}

{% macro packed_first(number) -%}
    {{ adapter.dispatch('packed_first')(number) }}
{%- endmacro %}

{% macro spark__packed_first(pair) -%}
    {{ pair }}.first
{%- endmacro %}

{% macro duckdb__packed_first(number) -%}
    cast({{ number }} >> 40 as bigint)
{%- endmacro %}

{% macro packed_second(number) -%}
    {{ adapter.dispatch('packed_second')(number) }}
{%- endmacro %}

{% macro spark__packed_second(pair) -%}
    {{ pair }}.second
{%- endmacro %}

{% macro duckdb__packed_second(number) -%}
    cast({{ number }} & 1099511627775 as bigint)
{%- endmacro %}


{# The type of a delivery status within a build: one of five words, to be kept as a number where that can be. #}
{% macro delivery_status_type() -%}
    {{ adapter.dispatch('delivery_status_type')() }}
{%- endmacro %}

{% macro spark__delivery_status_type() -%}
    string
{%- endmacro %}

{% macro duckdb__delivery_status_type() -%}
    enum ('delivered', 'pending', 'soft_bounce', 'hard_bounce', 'deleted')
{%- endmacro %}


{# An amount of money, decimal(18,2), times a rate, decimal(18,8), with every digit kept. #}
{% macro converted(amount, rate) -%}
    {{ adapter.dispatch('converted')(amount, rate) }}
{%- endmacro %}

{% macro spark__converted(amount, rate) -%}
    {{ amount }} * {{ rate }}
{%- endmacro %}

{# DuckDB types the product of the two as decimal(18,10): eight digits before the point. #}
{% macro duckdb__converted(amount, rate) -%}
    cast({{ amount }} as decimal(38, 2)) * {{ rate }}
{%- endmacro %}


{# A value as decimal(18,2), the type of amounts; what does not fit fails. #}
{% macro amount(value) -%}
    {{ adapter.dispatch('amount')(value) }}
{%- endmacro %}

{# In a session dbt-spark turns ANSI off, whatever is set: such a cast then gives null. #}
{% macro spark__amount(value) -%}
    case
        when {{ value }} is not null and cast({{ value }} as decimal(18, 2)) is null
            then cast(raise_error('an amount does not fit decimal(18,2)') as decimal(18, 2))
        else cast({{ value }} as decimal(18, 2))
    end
{%- endmacro %}

{% macro duckdb__amount(value) -%}
    cast({{ value }} as decimal(18, 2))
{%- endmacro %}


{# Before a table is written: whether it is read within the build only, or copied and read by others. #}
{% macro store_for(purpose) -%}
    {{ adapter.dispatch('store_for')(purpose) }}
{%- endmacro %}

{% macro spark__store_for(purpose) -%}
{%- endmacro %}

{# Looking for the best compression of ids takes longer than all else in writing them, and makes a third of the size. #}
{% macro duckdb__store_for(purpose) -%}
    set disabled_compression_methods = '{{ 'fsst,dict_fsst,dictionary' if purpose == 'build' else '' }}'
{%- endmacro %}


{#
    What a model is stored as: on Spark every refresh computes all of it anew, so nothing is brought up to date, and a view
    would be computed again for each who reads it.
#}
{% macro brought_up_to_date_as(materialization) -%}
    {{ return(adapter.dispatch('brought_up_to_date_as')(materialization)) }}
{%- endmacro %}

{% macro spark__brought_up_to_date_as(materialization) -%}
    {{ return('table') }}
{%- endmacro %}

{% macro duckdb__brought_up_to_date_as(materialization) -%}
    {{ return(materialization) }}
{%- endmacro %}


{# The order in which a table's rows are stored, where later builds gain by it. #}
{% macro stored_in_order_of(column) -%}
    {{ adapter.dispatch('stored_in_order_of')(column) }}
{%- endmacro %}

{% macro spark__stored_in_order_of(column) -%}
{%- endmacro %}

{% macro duckdb__stored_in_order_of(column) -%}
    order by {{ column }}
{%- endmacro %}


{#
    The few rows of a large stored table whose key is among those of another relation. `where` holds for all of them and
    spares the rest of the table; further conditions may follow.
#}
{% macro rows_with_key(table, key, among, where='true') -%}
    {{ adapter.dispatch('rows_with_key')(table, key, among, where) }}
{%- endmacro %}

{% macro spark__rows_with_key(table, key, among, where) -%}
select * from {{ table }}
left semi join {{ among }} using ({{ key | join(', ') }})
where {{ where }}
{%- endmacro %}

{#
    DuckDB would read every column of every row before it joins: the columns of the key say which rows are wanted. Only
    what is stored has row ids; a unit test gives common table expressions.
#}
{% macro duckdb__rows_with_key(table, key, among, where) -%}
select * from {{ table }}
{%- if table.is_cte %}
semi join {{ among }} using ({{ key | join(', ') }})
where {{ where }}
{%- else %}
where {{ where }} and rowid in (
    select state.rowid
    from {{ table }} as state
    semi join {{ among }} using ({{ key | join(', ') }})
    where {{ where }}
)
{%- endif %}
{%- endmacro %}
