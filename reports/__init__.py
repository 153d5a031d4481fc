"""The report pages: web pages that show the published marts to people who do not use SQL.

The server renders HTML. Every page has its own link, can be printed and read aloud, and works without JavaScript. Pages show
the figures of the marts and compute none that a mart holds. Nothing is written except exports that a person requests. E-mails
with reports are made of the same queries (`reports.mail`).

Not here: what the figures mean (`models.marts`), how exports are written (`warehouse.export`).
"""
