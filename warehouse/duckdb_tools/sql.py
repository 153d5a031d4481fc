"""SQL text, for statements that take no parameters: literals, and the expression that masks numbers in a text.

Not here: statements.
"""


def literal(value: object) -> str:
    """A value as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def masked_words(column: str) -> str:
    """The expression for a text column with its phone numbers masked. A malformed number has no plus, so of any ten or
    more digits in a row only the first and last two are shown.
    """
    return (
        rf"regexp_replace(regexp_replace({column}, '(\+[0-9]{{2}})[0-9 ().-]{{3,}}([0-9]{{2}})', '\1…\2', 'g'),"
        r" '([0-9]{2})[0-9]{6,}([0-9]{2})', '\1…\2', 'g')"
    )
