{# Deduplication loses no key: the model has every key of the relation `of`. Keys are compared by their hashes. #}
{% test keeps_every_key(model, of, columns, among="true") %}

    with
        kept as (select {{ hash_of(columns) }} as key_hash from {{ model }}),

        keys_before as (

            select {{ columns | join(",\n        ") }}, {{ hash_of(columns) }} as key_hash
            from {{ get_where_subquery(of) }}
            where {{ among }}

        )

    select keys_before.*
    from keys_before
    anti join kept on keys_before.key_hash = kept.key_hash

{% endtest %}
