{#
    One row for each key of a relation: where several rows share the key, the first by `order_by`.

    Shared keys are rare, and sorting everything to find them is dear. So keys are counted by a 64-bit hash, which is
    cheap, and only the rows whose hash occurs more than once go through the window. Two keys that share a hash by chance
    go through it as well and both come out: the answer never depends on the hash.

    relation   what to read; it is read three times, so a stored table, a view on one, or Parquet
    key        the columns of the key; null counts as a value
    order_by   terms that leave no two different rows tied, so that the order of arrival decides nothing
    columns    the columns wanted, key included
    of_group   further columns that tell of all rows of a key: {name: {'one': sql for a row alone, 'many': an aggregate}}
    where      which rows of the relation count
#}
{% macro one_row_per_key(relation, key, order_by, columns, of_group={}, where='true') -%}
with shared_hashes as (

    select {{ hash_of(key) }} as key_hash
    from {{ relation }}
    where {{ where }}
    group by 1
    having count(*) > 1

),

rows_alone as (

    select
        {{ columns | join(',\n        ') }}
        {%- for name, sql in of_group.items() %},
        {{ sql.one }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    anti join shared_hashes
        on {{ hash_of(key) }} = shared_hashes.key_hash
    where {{ where }}

),

rows_in_company as (

    select *
    from {{ relation }}
    semi join shared_hashes
        on {{ hash_of(key) }} = shared_hashes.key_hash
    where {{ where }}

),

rows_kept as (

    select
        {{ columns | join(',\n        ') }}
        {%- for name, sql in of_group.items() %},
        {{ sql.many }} over (partition by {{ key | join(', ') }}) as {{ name }}
        {%- endfor %}
    from rows_in_company
    qualify row_number() over (
        partition by {{ key | join(', ') }}
        order by
            {{ order_by | join(',\n            ') }}
    ) = 1

)

select * from rows_alone
union all
select * from rows_kept
{%- endmacro %}
