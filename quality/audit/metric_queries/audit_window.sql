-- The end of the "lately" windows: a message with a wrong clock, sent far in the future, does not move it.
select
    data_until,
    least((select max(last_sent_at) from delivery_status), cast(data_until + interval 1 day as timestamp)) as until
from audited_build
