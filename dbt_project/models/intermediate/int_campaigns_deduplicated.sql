{{
    one_row_per_key(
        relation=ref('stg_logs__campaigns'),
        key=['campaign_id'],
        order_by=[
            'modified_at desc',
            'campaign_name desc',
            'campaign_type desc',
            'body desc nulls last',
            'media_url desc nulls last',
            'sender desc nulls last',
            'max_segments desc nulls last',
            'modified_by desc',
        ],
        columns=[
            'campaign_id',
            'campaign_name',
            'campaign_type',
            'body',
            'media_url',
            'sender',
            'max_segments',
            'modified_by',
            'modified_at',
        ],
    )
}}
