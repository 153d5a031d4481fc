-- Which receipts are unmapped, and do they still arrive?
--
-- They change no status: their messages may look pending. Rows of dbt_project/seeds/provider_vocabularies.csv mend it.
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
