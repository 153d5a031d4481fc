"""The delivery incidents of the published build that may go on, with the campaigns hit: what an alert tells of them.

Not here: what an incident is (`dbt_project/models/insights/delivery_incidents.sql`), the alert
(`orchestration.notifications`).
"""

from dataclasses import dataclass
from datetime import date

import duckdb

from warehouse.config import DataPaths
from warehouse.duckdb_tools import attached

MOST_CAMPAIGNS = 5
"""The campaigns with the most failed messages that are named."""

_QUERY = f"""
    with
        incidents as (select * from published.insights.delivery_incidents where is_open),

        -- Of the series, and sent on these days.
        campaigns as (

            select
                incidents.provider,
                incidents.country,
                incidents.first_day,
                routes.campaign_id,
                coalesce(metrics.campaign_name, routes.campaign_id) as campaign_name,
                routes.soft_bounces + routes.hard_bounces + routes.deleted as failed
            from incidents
            inner join
                published.insights.delivery_routes as routes
                on incidents.provider is not distinct from routes.provider
                and incidents.country is not distinct from routes.country
            inner join published.marts.campaign_metrics as metrics on routes.campaign_id = metrics.campaign_id
            where
                routes.soft_bounces + routes.hard_bounces + routes.deleted > 0
                and exists (
                    from published.marts.delivery_status as contacts
                    where
                        contacts.campaign_id = routes.campaign_id
                        and contacts.last_sent_at >= incidents.first_day
                        and contacts.last_sent_at < incidents.last_day + interval 1 day
                )

        )

    select
        incidents.provider,
        incidents.country,
        incidents.first_day,
        incidents.last_day,
        incidents.messages,
        incidents.failed,
        incidents.expected_failed,
        incidents.top_reason,
        incidents.campaigns,
        list(campaigns.campaign_name order by campaigns.failed desc, campaigns.campaign_id) filter (
            where campaigns.campaign_id is not null
        )[:{MOST_CAMPAIGNS}]
    from incidents
    left join
        campaigns
        on incidents.provider is not distinct from campaigns.provider
        and incidents.country is not distinct from campaigns.country
        and incidents.first_day = campaigns.first_day
    group by all
    order by all
"""


@dataclass(frozen=True)
class OpenIncident:
    """An incident that may go on. `campaign_names`: of the `campaigns`, those with the most failed messages."""

    provider: str
    country: str | None
    first_day: date
    last_day: date
    messages: int
    failed: int
    expected_failed: float
    top_reason: str
    campaigns: int
    campaign_names: list[str] | None

    @property
    def subject(self) -> str:
        """A text that names the incident, whatever days and messages are added to it."""
        return f"{self.provider} {self.country or 'unknown country'} {self.first_day}"

    def describe(self) -> str:
        days = f"on {self.first_day}" if self.first_day == self.last_day else f"{self.first_day} to {self.last_day}"
        named = self.campaign_names or []
        more = [f"{self.campaigns - len(named)} more"] if self.campaigns > len(named) else []
        names = "; ".join([*(f"“{name}”" for name in named), *more])
        return (
            f"{self.provider}, {self.country or 'unknown country'}, {days}: {self.failed:,} of {self.messages:,} messages"
            f" failed, about {self.expected_failed:,.0f} would be usual. The most frequent reason is {self.top_reason}."
            f" Campaigns hit: {names}"
        )


def open_incidents(paths: DataPaths) -> list[OpenIncident]:
    """The open incidents of the published build; none if nothing is published, or it has no insights."""
    if not paths.published_marts.exists():
        return []
    with attached(published=paths.published_marts) as connection:
        try:
            rows = connection.execute(_QUERY).fetchall()
        except duckdb.CatalogException:
            return []
    return [OpenIncident(*row) for row in rows]
