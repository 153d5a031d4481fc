-- Which rows are in quarantine, by reason and file?
--
-- A row with two reasons counts under both. raw_row is left out because it holds personal data.
with
    reasons as (
        select log, log_date, source_file, row_number, unnest(reasons) as reason
        from read_duckdb('published/quarantine.duckdb', table_name = 'rejected_rows')
    )
select
    log,
    log_date,
    source_file,
    reason,
    count(*) as rejected,
    min(row_number) as first_row
from reasons
group by all
order by rejected desc, log, source_file, reason;
