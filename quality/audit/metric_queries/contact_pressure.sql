select
    coalesce(sum(messages), 0) as messages,
    share(sum(messages) filter (where messages_before = 7), sum(messages)) as seven_or_more_before_share
from insights.contact_pressure
