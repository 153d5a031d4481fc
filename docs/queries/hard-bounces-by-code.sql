-- Why do messages bounce hard, by provider and code?
select
    lower(provider) as provider, -- gateways use upper and lower case
    error_code,
    count(*) as contacts,
    count(distinct campaign_id) as campaigns,
    count(*) / sum(count(*)) over () as share_of_hard_bounces,
    max(status_at) as last_at
from delivery_status
where delivery_status = 'hard_bounce'
group by all
order by contacts desc, provider, error_code nulls last;
