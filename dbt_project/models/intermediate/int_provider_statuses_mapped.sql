with receipts as (

    select * from {{ ref('stg_logs__receipts') }}

),

vocabulary as (

    select
        {{ ascii_upper('provider') }} as provider_upper,
        {{ ascii_upper('provider_status') }} as provider_status_upper,
        {{ ascii_upper('error_code') }} as error_code_upper,
        delivery_status
    from {{ ref('provider_vocabularies') }}

),

provider_statuses as (

    select
        provider,
        provider_status,
        error_code,
        {{ ascii_upper('provider') }} as provider_upper,
        {{ ascii_upper('provider_status') }} as provider_status_upper,
        {{ ascii_upper('error_code') }} as error_code_upper
    from receipts
    group by provider, provider_status, error_code

),

translated as (

    select
        provider_statuses.provider,
        provider_statuses.provider_status,
        provider_statuses.error_code,
        coalesce(of_error_code.delivery_status, of_any_error_code.delivery_status) as delivery_status
    from provider_statuses
    left join vocabulary as of_error_code
        on provider_statuses.provider_upper = of_error_code.provider_upper
        and provider_statuses.provider_status_upper = of_error_code.provider_status_upper
        and provider_statuses.error_code_upper = of_error_code.error_code_upper
    left join vocabulary as of_any_error_code
        on provider_statuses.provider_upper = of_any_error_code.provider_upper
        and provider_statuses.provider_status_upper = of_any_error_code.provider_status_upper
        and of_any_error_code.error_code_upper is null

)

-- The number stands for the three strings wherever receipts are many, and sorts as they do where receipts of one moment
-- compete: first by what the status says, then by the strings' bytes.
select
    provider,
    provider_status,
    error_code,
    delivery_status,
    row_number() over (
        order by
            case delivery_status
                when 'deleted' then 3
                when 'hard_bounce' then 2
                when 'soft_bounce' then 1
                else 0
            end,
            provider,
            provider_status,
            error_code nulls first
    ) as provider_status_number
from translated
