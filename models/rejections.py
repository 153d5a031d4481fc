"""Rejection reasons for a whole line, and the marker of an erased row in quarantine.

Not here: the rules for values (`models.logs`), which give the other reasons.
"""

NOT_UTF8 = "line: is not valid UTF-8"
HAS_NUL = "line: holds a NUL"
TOO_LONG = "line: is longer than 1 MiB"

ERASED_RAW_ROW = "erased"
"""The raw row in quarantine after the contact or number in it was erased."""
