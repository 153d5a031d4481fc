"""Erasure: a contact and its numbers become random tokens, wherever they stand, and free text of theirs goes.

`remembered` knows what was erased and reads rows accordingly, those that come later too; `places` goes through everything
that lies on disk.

Not here: the landing zone, backups, and what others copied: they are not the warehouse's (docs/privacy.md).
"""
