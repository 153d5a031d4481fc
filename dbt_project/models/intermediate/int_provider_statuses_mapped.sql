{{ config(unique_key="provider_status_id", incremental_strategy="delete+insert") }}

with
    vocabulary as (

        select
            {{ ascii_upper("provider") }} as provider_upper,
            {{ ascii_upper("provider_status") }} as provider_status_upper,
            {{ error_code_key("error_code") }} as error_code_key,
            delivery_status,
            provider || ', ' || provider_status || ', ' || coalesce(error_code, 'any code') as vocabulary_row
        from {{ ref("provider_vocabularies") }}

    ),

    {% if is_incremental() -%}
        known as (select * from {{ this }}),

        receipts as (select * from {{ source("changes", "receipts") }} where change = 'added'),
    {%- else -%}
        known as (

            select
                cast(null as string) as provider,
                cast(null as string) as provider_status,
                cast(null as string) as error_code,
                cast(null as bigint) as provider_status_id
            where false

        ),

        receipts as (select * from {{ ref("stg_logs__receipts") }}),
    {%- endif %}

    written as (

        select provider, provider_status, error_code from receipts group by provider, provider_status, error_code

    ),

    provider_statuses as (

        select
            coalesce(known.provider, written.provider) as provider,
            coalesce(known.provider_status, written.provider_status) as provider_status,
            coalesce(known.error_code, written.error_code) as error_code,
            known.provider_status_id as known_number
        from known
        full join
            written
            on known.provider = written.provider
            and known.provider_status = written.provider_status
            and known.error_code is not distinct from written.error_code

    ),

    translated as (

        select
            provider_statuses.*,
            cast(
                coalesce(
                    of_error_code.delivery_status, of_any_error_code.delivery_status
                ) as {{ delivery_status_type() }}
            ) as delivery_status,
            coalesce(of_error_code.vocabulary_row, of_any_error_code.vocabulary_row) as vocabulary_row
        from
            (
                select
                    *,
                    {{ ascii_upper("provider") }} as provider_upper,
                    {{ ascii_upper("provider_status") }} as provider_status_upper,
                    {{ error_code_key("error_code") }} as error_code_key
                from provider_statuses
            ) as provider_statuses
        left join
            vocabulary as of_error_code
            on provider_statuses.provider_upper = of_error_code.provider_upper
            and provider_statuses.provider_status_upper = of_error_code.provider_status_upper
            and provider_statuses.error_code_key = of_error_code.error_code_key
        left join
            vocabulary as of_any_error_code
            on provider_statuses.provider_upper = of_any_error_code.provider_upper
            and provider_statuses.provider_status_upper = of_any_error_code.provider_status_upper
            and of_any_error_code.error_code_key is null

    )

-- The id stands for the three strings in tables with many receipts, and never changes. The rank decides between
-- receipts with the same time: first by delivery status, then by the bytes of the strings. A new row can rank
-- between two known ones, so the ranks hold for one run.
select
    provider,
    provider_status,
    error_code,
    delivery_status,
    vocabulary_row,
    coalesce(
        known_number,
        max(known_number) over ()
        + row_number() over (order by known_number nulls first, provider, provider_status, error_code nulls first),
        row_number() over (order by provider, provider_status, error_code nulls first)
    ) as provider_status_id,
    row_number() over (
        order by
            case delivery_status when 'deleted' then 3 when 'hard_bounce' then 2 when 'soft_bounce' then 1 else 0 end,
            provider,
            provider_status,
            error_code nulls first
    ) as tie_rank
from translated
