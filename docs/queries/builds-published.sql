-- Which builds were published when, and how did the totals move?
--
-- Kept builds only. Reads them without attaching each; needs DuckDB 1.5.
with
    builds as (
        from read_duckdb('published/builds/*.duckdb', schema_name = 'marts', table_name = 'build_info', filename = true)
    ),
    totals as (
        select filename, count(*) as campaigns, sum(total_sent) as messages_sent, sum(revenue) as revenue
        from read_duckdb('published/builds/*.duckdb', schema_name = 'marts', table_name = 'campaign_metrics', filename = true)
        group by filename
    )
select
    builds.build_id,
    builds.published_at,
    builds.data_until,
    builds.override_reason,
    coalesce(totals.campaigns, 0) as campaigns,
    coalesce(totals.messages_sent, 0) as messages_sent,
    coalesce(totals.revenue, 0) as revenue
from builds
left join totals using (filename)
order by builds.published_at desc;
