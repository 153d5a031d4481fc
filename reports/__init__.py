"""The reports as web pages over the published marts, for people who never open SQL.

Server-rendered HTML: every page has a link of its own, can be printed, read aloud and opened without JavaScript. Nothing
is computed here that a mart holds; nothing is written but exports that a person asks for.

Not here: what the figures mean (`models.marts`), how exports are written (`warehouse.export.exports`).
"""
