"""The pages: one module for each, with its routes and what it passes to its template.

A page is a plain function of a request, run in a thread. It reads the build that is published at that moment.

To add a page: a module here with a function `routes`, its name in `PAGES`, its queries in `reports.queries`, and a template.
"""

from reports.pages import (
    campaign,
    campaign_table,
    compare,
    contact,
    exports,
    glossary,
    health,
    listings,
    metrics,
    send_times,
)

PAGES = (
    campaign_table,
    campaign,
    compare,
    exports,
    glossary,
    health,
    listings,
    contact,
    metrics,
    send_times,
)
"""The modules of all pages. The first route that matches a link counts."""
