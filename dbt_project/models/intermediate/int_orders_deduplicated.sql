{{
    one_row_per_key(
        relation=ref('stg_logs__orders'),
        key=['order_id'],
        order_by=[
            'updated_at desc',
            "case when status = 'cancelled' then 0 else 1 end",
            'contact_id desc',
            'ordered_at desc',
            'total desc',
            'refunded_amount desc',
            'currency desc',
        ],
        columns=[
            'order_id',
            'contact_id',
            'ordered_at',
            'total',
            'refunded_amount',
            'currency',
            'status',
        ],
    )
}}
