select coalesce(sum(hourly.clicks), 0) as clicks, share(max(hourly.clicks), sum(hourly.clicks)) as busiest_hour_share
from campaign_clicks_hourly as hourly
