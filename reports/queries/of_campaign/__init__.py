"""The sections of a campaign's page, one module each.

Not here: what a link to the page asks for, and clicks and orders over time (`reports.queries.campaign`).
"""
