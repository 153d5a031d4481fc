"""What the pages show: one module for each page, with the parameters of its link and its queries on the published build.

Not here: HTML (`reports/templates`), routes (`reports.pages`), opening the build (`reports.database`).
"""
