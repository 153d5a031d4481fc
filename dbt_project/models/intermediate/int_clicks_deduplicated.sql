{{
    one_row_per_key(
        relation=ref('stg_logs__clicks'),
        key=['click_id'],
        order_by=[
            'clicked_at',
            'campaign_id',
            'contact_id',
            'message_id desc nulls last',
            'url desc nulls last',
            'user_agent desc nulls last',
        ],
        columns=[
            'click_id',
            'campaign_id',
            'contact_id',
            'clicked_at',
        ],
    )
}}
