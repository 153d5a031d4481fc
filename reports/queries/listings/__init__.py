"""Listings: pages of rows of one mart, each described in a few lines (`delivery`, `people`, `clicks`).

Not here: what the descriptions mean in SQL (`listing`), their routes (`reports.pages.listings`).
"""
