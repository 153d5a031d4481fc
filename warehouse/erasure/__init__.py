"""Erasure: replaces a contact and its numbers by random tokens in every file, and removes the contact's free text.

Not here: recognising an erased contact in rows (`warehouse.privacy`); the landing zone, backups and copies elsewhere, which
Sendmart does not erase (docs/privacy.md).
"""

from warehouse.erasure.erase import SPREADSHEETS, erase_contacts, source_files_of_erased_rows

__all__ = ["SPREADSHEETS", "erase_contacts", "source_files_of_erased_rows"]
