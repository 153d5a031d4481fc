select *, share(messages, messages_sent) as messages_share
from (select count(*) as messages from insights.sent_after_opt_out)
cross join (select coalesce(sum(total_sent), 0) as messages_sent from campaign_metrics)
