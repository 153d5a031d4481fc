"""Text as SQL, where a statement takes no parameters: names of files to attach or write, comments.

Not here: statements.
"""


def literal(value: object) -> str:
    """A value as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"
