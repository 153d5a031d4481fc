{# A table: it has few rows, and an incremental build would save nothing. -#}
{{ config(materialized="table") }}

with
    failure_reasons as (

        select
            {{ ascii_upper("provider") }} as provider_upper,
            {{ ascii_upper("provider_status") }} as provider_status_upper,
            {{ error_code_key("error_code") }} as error_code_key,
            reason,
            is_permanent,
            advice
        from {{ ref("failure_reasons") }}

    ),

    provider_statuses as (

        select
            provider_status_id,
            {{ ascii_lower("provider") }} as provider,
            provider_status,
            error_code,
            {{ ascii_upper("provider") }} as provider_upper,
            {{ ascii_upper("provider_status") }} as provider_status_upper,
            {{ error_code_key("error_code") }} as error_code_key
        from {{ ref("int_provider_statuses_mapped") }}

    )

-- The advice of a row belongs to its reason, even if it is null: the first row that matches gives all three.
select
    provider_statuses.provider_status_id,
    provider_statuses.provider,
    provider_statuses.provider_status,
    provider_statuses.error_code,
    coalesce(of_both.reason, of_error_code.reason, of_provider_status.reason, 'unknown') as reason,
    case
        when of_both.reason is not null
        then of_both.is_permanent
        when of_error_code.reason is not null
        then of_error_code.is_permanent
        else of_provider_status.is_permanent
    end as is_permanent,
    case
        when of_both.reason is not null
        then of_both.advice
        when of_error_code.reason is not null
        then of_error_code.advice
        else of_provider_status.advice
    end as advice
from provider_statuses
left join
    failure_reasons as of_both
    on provider_statuses.provider_upper = of_both.provider_upper
    and provider_statuses.provider_status_upper = of_both.provider_status_upper
    and provider_statuses.error_code_key = of_both.error_code_key
left join
    failure_reasons as of_error_code
    on provider_statuses.provider_upper = of_error_code.provider_upper
    and of_error_code.provider_status_upper is null
    and provider_statuses.error_code_key = of_error_code.error_code_key
left join
    failure_reasons as of_provider_status
    on provider_statuses.provider_upper = of_provider_status.provider_upper
    and provider_statuses.provider_status_upper = of_provider_status.provider_status_upper
    and of_provider_status.error_code_key is null
