select
    max(final) filter (where figure = 'delivered') as delivered,
    share(
        max(known) filter (where figure = 'delivered' and age_days = 3), max(final) filter (where figure = 'delivered')
    ) as delivered_known_after_three_days_share
from insights.figure_maturity
