{{ config(materialized="view") }}

{# The deciding message of a contact in a campaign: the one delivered first, else the one sent last. -#}
{{
    one_row_per_key(
        relation=ref('int_messages_resolved'),
        where='is_sent',
        key=['campaign_id', 'contact_id'],
        order_by=[
            "case when delivery_status = 'delivered' then 0 else 1 end",
            "case when delivery_status = 'delivered' then status_at end nulls last",
            "case when delivery_status = 'delivered' then message_id end nulls last",
            'sent_at desc',
            'message_id desc',
        ],
        columns=[
            'campaign_id',
            'contact_id',
            'mobile_number',
            'delivery_status',
            'message_id',
            'status_at',
            'provider_status_number',
        ],
        of_group={
            'messages_sent': {'one': '1', 'many': 'count(*)'},
            'last_sent_at': {'one': 'sent_at', 'many': 'max(sent_at)'},
        },
    )
}}
