{{
    config(
        meta={
            "changed_keys": {"clicked_contacts_this_run": ["campaign_id", "contact_id"]},
        }
    )
}}

-- depends_on: {{ ref('clicked_contacts_this_run') }}
-- depends_on: {{ ref('click_periods_this_run') }}, {{ ref('bot_user_agents') }}
with
    clicks as (

        select
            click_id,
            campaign_id,
            contact_id,
            clicked_at,
            message_id as named_message_id,
            {{ microseconds_of("clicked_at") }} as clicked_us,
            {{ link_of("url") }} as link,
            user_agent,
            first_log_date
        from {{ ref("int_clicks_deduplicated") }}
        {%- if is_incremental() %}
            semi join {{ ref("clicked_contacts_this_run") }} using (campaign_id, contact_id)
        {%- endif %}

    ),

    clickers as (select campaign_id, contact_id, count(*) as clicks from clicks group by campaign_id, contact_id),

    messages_to_clickers as (

        {% if is_incremental() -%}
            {{
                rows_with_key(
                    ref("int_messages_resolved"),
                    ["campaign_id", "contact_id"],
                    "clickers",
                    within_periods_this_run("sent_at", "click_periods_this_run") ~ " and is_sent",
                ) | indent(8)
            }}
        {%- else -%}
            select *
            from {{ ref("int_messages_resolved") }}
            semi join clickers using (campaign_id, contact_id)
            where is_sent
        {%- endif %}

    ),

    messages as (

        select
            message_id,
            campaign_id,
            contact_id,
            mobile_number,
            sent_at,
            first_log_date,
            case when delivery_status = 'delivered' then status_at end as delivered_at,
            lead(sent_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by campaign_id, contact_id order by sent_at, message_id
            ) as next_sent_at
        from messages_to_clickers

    ),

    user_agents as (select user_agent from clicks where user_agent is not null group by user_agent),

    bot_user_agents as (select user_agent from user_agents where {{ is_bot_user_agent("user_agent") }}),

    -- Numbers in place of links: only whether two links are the same counts.
    links as (
        select link, row_number() over (order by link) as link_number from clicks where link is not null group by link
    ),

    clicks_in_question as (

        select clicks.click_id, clicks.campaign_id, clicks.contact_id, clicks.clicked_us, links.link_number
        from clicks
        inner join clickers on clicks.campaign_id = clickers.campaign_id and clicks.contact_id = clickers.contact_id
        inner join links on clicks.link = links.link
        where clickers.clicks > 1

    ),

    -- A click on another link of the campaign at most one second before or after.
    clicks_near_others as (

        select
            click_id,
            min(link_number) over nearby as least_link_number,
            max(link_number) over nearby as greatest_link_number
        from clicks_in_question
        window
            nearby as (
                partition by campaign_id, contact_id
                order by clicked_us
                range between 1000000 preceding and 1000000 following
            )

    ),

    sweeps as (select click_id from clicks_near_others where least_link_number <> greatest_link_number),

    clicks_with_messages as (

        select
            clicks.click_id,
            clicks.campaign_id,
            clicks.contact_id,
            clicks.clicked_at,
            clicks.link,
            coalesce(named_messages.message_id, last_messages.message_id) as message_id,
            coalesce(named_messages.mobile_number, last_messages.mobile_number) as mobile_number,
            coalesce(named_messages.sent_at, last_messages.sent_at) as message_sent_at,
            coalesce(named_messages.first_log_date, last_messages.first_log_date) as message_first_log_date,
            case
                when named_messages.message_id is null then last_messages.delivered_at else named_messages.delivered_at
            end as delivered_at,
            clicks.clicked_us
            - {{ microseconds_of("coalesce(named_messages.sent_at, last_messages.sent_at)") }} as after_us,
            bot_user_agents.user_agent is not null as has_bot_user_agent,
            sweeps.click_id is not null as is_sweep,
            clicks.first_log_date
        from clicks
        left join
            messages as named_messages
            on clicks.named_message_id = named_messages.message_id
            and clicks.campaign_id = named_messages.campaign_id
            and clicks.contact_id = named_messages.contact_id
        left join
            messages as last_messages
            on clicks.campaign_id = last_messages.campaign_id
            and clicks.contact_id = last_messages.contact_id
            and clicks.clicked_at >= last_messages.sent_at
            and clicks.clicked_at < last_messages.next_sent_at
        left join bot_user_agents on clicks.user_agent = bot_user_agents.user_agent
        left join sweeps on clicks.click_id = sweeps.click_id

    ),

    clicks_classified as (

        select
            *,
            case
                when has_bot_user_agent
                then 'user_agent'
                when {{ is_too_fast("after_us") }}
                then 'too_fast'
                when is_sweep
                then 'sweep'
            end as rule
        from clicks_with_messages

    )

select
    click_id,
    campaign_id,
    contact_id,
    clicked_at,
    link,
    message_id,
    mobile_number,
    message_sent_at,
    message_first_log_date,
    after_us,
    rule is not null as is_bot,
    rule,
    coalesce(clicked_at < delivered_at, false) as is_before_delivery,
    first_log_date
from clicks_classified
