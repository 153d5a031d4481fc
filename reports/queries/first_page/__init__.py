"""The first page: the periods and the figures of its overview, the columns and the saved views of its table.

Not here: the rows of the table (`reports.queries.campaign_table`).
"""
