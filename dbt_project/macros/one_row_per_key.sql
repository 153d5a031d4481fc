{#
    One row per key of a relation: of several rows with the same key, the first by `order_by`.

    Duplicate keys are rare, and sorting all rows to find them is expensive. Therefore the keys are counted by a 64-bit hash,
    which is cheap, and only the rows whose hash occurs more than once go through the window function. Two keys that share a
    hash by chance go through it as well, and both are kept: the result never depends on the hash.

    relation         the relation to read. It is read three times: a stored table, a view on one, or Parquet
    key              the columns of the key; null is a value
    order_by         terms that leave no two different rows tied, so that the result does not depend on the order of rows
    columns          the columns to keep, key included
    group_columns    columns computed from all rows of a key: {name: {'one': SQL for a single row, 'many': an aggregate}}
    where            the rows of the relation that count
#}
{% macro one_row_per_key(relation, key, order_by, columns, group_columns={}, where="true") -%}
    with
        shared_hashes as (

            select {{ hash_of(key) }} as key_hash from {{ relation }} where {{ where }} group by 1 having count(*) > 1

        ),

        single_rows as (

            select
                {{ columns | join(",\n        ") }}
                {%- for name, sql in group_columns.items() %}, {{ sql.one }} as {{ name }} {%- endfor %}
            from {{ relation }}
            anti join shared_hashes on {{ hash_of(key) }} = shared_hashes.key_hash
            where {{ where }}

        ),

        duplicate_rows as (

            select *
            from {{ relation }}
            semi join shared_hashes on {{ hash_of(key) }} = shared_hashes.key_hash
            where {{ where }}

        ),

        rows_kept as (

            select
                {{ columns | join(",\n        ") }}
                {%- for name, sql in group_columns.items() %}
                    , {{ sql.many }} over (partition by {{ key | join(", ") }}) as {{ name }}
                {%- endfor %}
            from duplicate_rows
            qualify
                row_number() over (
                    partition by {{ key | join(", ") }} order by {{ order_by | join(",\n            ") }}
                )
                = 1

        )

    select *
    from single_rows
    union all
    select *
    from rows_kept
{%- endmacro %}
