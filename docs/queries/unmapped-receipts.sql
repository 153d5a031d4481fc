-- Which receipts are unmapped, and do they still arrive?
--
-- They change no status, so their messages can look pending. To map them, add rows to
-- dbt_project/seeds/provider_vocabularies.csv.
select
    provider,
    provider_status,
    error_code,
    messages,
    receipts,
    last_occurred_at,
    last_occurred_at >= data_until as still_coming
from unmapped_receipts
cross join build_info
order by messages desc, provider, provider_status, error_code nulls last;
