{{
    one_row_per_key(
        relation=ref('stg_logs__unsubscribes'),
        key=['contact_id', 'unsubscribed_at'],
        order_by=[
            'mobile_number desc nulls last',
            'source desc nulls last',
        ],
        columns=[
            'contact_id',
            'unsubscribed_at',
            'source',
        ],
    )
}}
