-- The providers whose receipts decide the status of most contacts, each with the number of contacts.
select lower(provider), count(*) from delivery_status where provider is not null group by 1 order by 2 desc, 1 limit 20
