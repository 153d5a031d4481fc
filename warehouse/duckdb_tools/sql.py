"""Text as SQL, where a statement takes no parameters: names of files to attach or write, comments, words masked.

Not here: statements.
"""


def literal(value: object) -> str:
    """A value as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def masked_words(column: str) -> str:
    """An expression: the words of a column with their numbers masked. What is wrongly written need not be a number: of
    any ten digits in a row only the ends are shown.
    """
    return (
        rf"regexp_replace(regexp_replace({column}, '(\+[0-9]{{2}})[0-9 ().-]{{3,}}([0-9]{{2}})', '\1…\2', 'g'),"
        r" '([0-9]{2})[0-9]{6,}([0-9]{2})', '\1…\2', 'g')"
    )
