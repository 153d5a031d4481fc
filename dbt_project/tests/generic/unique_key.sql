{# No two rows have equal values in all these columns; null is a value. Rows are counted by hash first, which is cheap. #}
{% test unique_key(model, columns) %}

    with shared_hashes as (select {{ hash_of(columns) }} as key_hash from {{ model }} group by 1 having count(*) > 1)

    select {{ columns | join(",\n    ") }}, count(*) as rows_with_key
    from {{ model }}
    where {{ hash_of(columns) }} in (select key_hash from shared_hashes)
    group by {{ columns | join(", ") }}
    having count(*) > 1

{% endtest %}
