r"""Marks text that a spreadsheet program would read as a formula, as SQL expressions.

A spreadsheet program may split a cell at another separator than the comma, or at a line end. So a formula sign counts at the
start of the text and after a separator, after any blanks and quotes: `=1`, `a;=1`, `x<TAB> "=1`. An apostrophe is put in front
of the text and after each of these separators. A text that begins with a tab or a line end gets the first one, too.

Not here: which columns are text (`warehouse.export.report_sql`).
"""

_SEPARATORS = r"[;,|\t\n\x0b\x0c\r\x{85}\x{2028}\x{2029}]"
_BLANKS_AND_QUOTES = r"[\p{Zs}\p{Cf}\x00-\x08\x0e-\x1f\x7f\"\p{Pi}\p{Pf}`\x{B4}'']*"
_SIGNS = r"[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}\x{FE66}\x{FE62}\x{FE63}\x{FE6B}\x{2212}]"
"""The signs, their full-width and small forms, and the minus sign."""

_FORMULA = rf"(^|{_SEPARATORS})({_BLANKS_AND_QUOTES}{_SIGNS})"
_LATER_FORMULA = rf"({_SEPARATORS})({_BLANKS_AND_QUOTES}{_SIGNS})"
_MARKED_FORMULA = rf"({_SEPARATORS})''({_BLANKS_AND_QUOTES}{_SIGNS})"


def mark_sql(text: str) -> str:
    """The expression of a text with its formulas marked; `text` is an expression of type varchar."""
    marked = rf"'''' || regexp_replace({text}, '{_LATER_FORMULA}', '\1''\2', 'g')"
    return rf"if(regexp_matches({text}, '{_FORMULA}|^''*[\t\r\n]'), {marked}, {text})"


def unmark_sql(text: str) -> str:
    """The expression of the text that was marked; a text that `mark_sql` has not marked is returned as it is."""
    original = rf"regexp_replace({text}[2:], '{_MARKED_FORMULA}', '\1\2', 'g')"
    return f"if({text} = {mark_sql(original)}, {original}, {text})"
