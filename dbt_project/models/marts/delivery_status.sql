{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"messages_this_run": ["campaign_id", "contact_id"]}, "time_column": "last_sent_at"},
    )
}}

-- depends_on: {{ ref('messages_this_run') }}, {{ ref('campaign_periods_this_run') }}
with
    {% if is_incremental() -%}
        changed_contacts as (select distinct campaign_id, contact_id from {{ ref("messages_this_run") }}),

        messages as (

            {{
                rows_with_key(
                    ref("int_messages_resolved"),
                    ["campaign_id", "contact_id"],
                    "changed_contacts",
                    within_periods_this_run("sent_at"),
                ) | indent(4)
            }}

        ),

    {% endif -%}
    -- The deciding message of a contact in a campaign: the first one delivered, else the last one sent.
    campaign_contacts as (

        {{
            one_row_per_key(
                relation="messages" if is_incremental() else ref("int_messages_resolved"),
                where="is_sent",
                key=["campaign_id", "contact_id"],
                order_by=[
                    "case when delivery_status = 'delivered' then 0 else 1 end",
                    "case when delivery_status = 'delivered' then status_at end nulls last",
                    "case when delivery_status = 'delivered' then message_id end nulls last",
                    "sent_at desc",
                    "message_id desc",
                ],
                columns=[
                    "campaign_id",
                    "contact_id",
                    "mobile_number",
                    "delivery_status",
                    "message_id",
                    "status_at",
                    "provider_status_id",
                ],
                group_columns={
                    "messages_sent": {"one": "1", "many": "count(*)"},
                    "last_sent_at": {"one": "sent_at", "many": "max(sent_at)"},
                },
            ) | indent(4)
        }}

    ),

    provider_statuses as (select * from {{ ref("int_provider_statuses_mapped") }})

select
    cast(campaign_contacts.campaign_id as string) as campaign_id,
    cast(campaign_contacts.contact_id as string) as contact_id,
    cast(campaign_contacts.mobile_number as string) as mobile_number,
    cast(campaign_contacts.delivery_status as string) as delivery_status,
    cast(campaign_contacts.messages_sent as bigint) as messages_sent,
    cast(campaign_contacts.message_id as string) as message_id,
    cast(campaign_contacts.last_sent_at as timestamp) as last_sent_at,
    cast(campaign_contacts.status_at as timestamp) as status_at,
    cast(provider_statuses.provider as string) as provider,
    cast(provider_statuses.provider_status as string) as provider_status,
    cast(provider_statuses.error_code as string) as error_code
from campaign_contacts
left join provider_statuses on campaign_contacts.provider_status_id = provider_statuses.provider_status_id
