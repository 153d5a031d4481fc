{{
    one_row_per_key(
        relation=ref('stg_logs__sends'),
        key=['message_id'],
        order_by=[
            'case when skip_reason is null then 0 else 1 end',
            'sent_at',
            'campaign_id',
            'contact_id',
            'mobile_number desc',
            'segments desc nulls last',
            'skip_reason desc nulls last',
            'provider desc nulls last',
            'cost desc nulls last',
            'cost_currency desc nulls last',
        ],
        columns=[
            'message_id',
            'campaign_id',
            'contact_id',
            'mobile_number',
            'sent_at',
            'segments',
            'skip_reason',
        ],
    )
}}
