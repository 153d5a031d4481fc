"""Keyed hashes, and the tombstones of erased contacts.

Not here: erasing a contact from files (`warehouse.erasure`), file permissions (`warehouse.config.file_modes`).
"""
