"""The functions that mappings may use beside DuckDB's own, as SQL macros: each takes text as exporters write it.

A null gives null. Text that a function cannot read in one way only is an error, which rejects the row.
Not here: which functions of DuckDB a mapping may use (`warehouse.ingest.sources.expressions`).
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """A macro: its parameters with their defaults, its body, and what it does, for the docs."""

    name: str
    parameters: tuple[str, ...]
    body: str
    description: str

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(self.parameters)})"

    @property
    def statement(self) -> str:
        return f"create macro {self.name}({', '.join(self.parameters)}) as ({self.body})"


def _fault(message: str) -> str:
    """SQL that fails with a message, an SQL expression. DuckDB's `error` cannot be used within `try`, and a cast can."""
    return f"cast(cast({message} as integer) as varchar)"


FAULT = re.compile(
    r"Could not convert string '(must be .*|does not exist in .*|is two times in .*)' to INT32", re.DOTALL
)
"""A message of `_fault` in DuckDB's error."""


def _checked(text: str, pattern: str, value: str, rule: str) -> str:
    """SQL for `value` where `text` matches a pattern wholly; a fault where it does not."""
    fault = _fault(f"'must be {rule}'")
    return (
        f"case when {text} is null then null when regexp_full_match({text}, '{pattern}') then {value} else {fault} end"
    )


_DIGITS = r"regexp_replace(trim(cast(number as varchar)), '[\s().\/-]', '', 'g')"
_TRIMMED = "trim(cast(number as varchar))"
_TRIMMED_TEXT = "trim(cast(text as varchar))"
_DECIMAL = r"[+-]?0*[0-9]{1,10}(\.[0-9]{1,9}0*)?"
_WITH_EXPONENT = r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?"
_DAYS = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_OFFSET = "([01][0-9]|2[0-3])[0-5][0-9]"
_RFC_2822 = (
    rf"({_DAYS}, )?[0-9]{{1,2}} {_MONTHS} [0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} ([+-]{_OFFSET}|GMT|UTC|UT|Z)"
)
_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"

_LOCAL_BODY = rf"""
case
    when local_time is null then null
    -- DuckDB's `timezone` fails on an unknown zone, within `try` too. This cast does not.
    when not (
        regexp_full_match(zone, '[A-Za-z]\S*') and try_cast('2000-01-01 00:00:00 ' || zone as timestamptz) is not null
    ) then {_fault("'must be in a time zone of the IANA database, not ' || zone")}
    when not regexp_full_match(trim(cast(local_time as varchar)), '{_LOCAL}')
        then {_fault("'must be YYYY-MM-DD HH:MM[:SS[.ffffff]], without an offset'")}
    else list_transform(
        [cast(trim(cast(local_time as varchar)) as timestamp)],
        -- The instants under the offsets of the day before and the day after; a local time that exists once is one of them.
        lambda t: list_transform(
            [list_filter(
                list_distinct([
                    timezone('UTC', timezone(zone, t - interval 1 day)) + interval 1 day,
                    timezone('UTC', timezone(zone, t + interval 1 day)) - interval 1 day
                ]),
                lambda utc: timezone(zone, timezone('UTC', utc)) = t
            )],
            lambda instants: case len(instants)
                when 1 then strftime(instants[1], '%Y-%m-%dT%H:%M:%S.%fZ')
                when 0 then {_fault("'does not exist in ' || zone || ': the clocks are put forward over it'")}
                else {_fault("'is two times in ' || zone || ': the clocks are put back over it'")}
            end
        )[1]
    )[1]
end
"""


def _written_out(number: str) -> str:
    """SQL for a decimal number without its exponent, with a zero at both ends."""
    return rf"""
    list_transform(
        [struct_pack(
            digits := regexp_extract({number}, '[0-9]+') || regexp_extract({number}, '\.([0-9]+)', 1),
            point := length(regexp_extract({number}, '[0-9]+'))
                + coalesce(try_cast(regexp_extract({number}, '[eE](.*)', 1) as integer), 0)
        )],
        lambda n: regexp_extract({number}, '^[+-]?') || '0'
            || left(repeat('0', -n.point) || n.digits || repeat('0', n.point - length(n.digits)), greatest(n.point, 0)) || '.'
            || substr(repeat('0', -n.point) || n.digits, greatest(n.point, 0) + 1) || '0'
    )[1]
    """


def _product(a: str, b: str) -> str:
    product = f"cast({a} as decimal(19, 9)) * cast({b} as decimal(19, 9))"
    return f"rtrim(rtrim(cast({product} as varchar), '0'), '.')"


_A, _B = "trim(cast(a as varchar))", "trim(cast(b as varchar))"
_NO_FACTORS = _fault("'must be two decimal numbers with at most 10 digits before the point and 9 after it'")

_TIMES_BODY = f"""
case
    when {_A} is null or {_B} is null then null
    when regexp_full_match({_A}, '{_DECIMAL}') and regexp_full_match({_B}, '{_DECIMAL}') then {_product(_A, _B)}
    when regexp_full_match({_A}, '{_WITH_EXPONENT}') and regexp_full_match({_B}, '{_WITH_EXPONENT}')
        then list_transform(
            [struct_pack(x := {_written_out(_A)}, y := {_written_out(_B)})],
            lambda factors: case
                when regexp_full_match(factors.x, '{_DECIMAL}') and regexp_full_match(factors.y, '{_DECIMAL}')
                    then {_product("factors.x", "factors.y")}
                else {_NO_FACTORS}
            end
        )[1]
    else {_NO_FACTORS}
end
"""

FUNCTIONS = (
    Function(
        "e164",
        ("number", "default_prefix := '+'"),
        rf"""
        case
            -- Almost all numbers are digits alone.
            when default_prefix = '+' and regexp_full_match(cast(number as varchar), '[1-9][0-9]*') then '+' || number
            when {_DIGITS} is null or {_DIGITS} = '' then null
            when regexp_matches(cast(number as varchar), '\(\s*0\s*\)')
                then {_fault("'must be a number without (0): write +49 171 or 0171 for +49 (0) 171'")}
            when starts_with({_DIGITS}, '+') then {_DIGITS}
            when starts_with({_DIGITS}, '00') then '+' || substr({_DIGITS}, 3)
            when default_prefix = '+' then '+' || {_DIGITS}
            when starts_with('+' || {_DIGITS}, default_prefix)
                then {_fault("'must be a number with +, 00 or 0 before it: it begins like ' || default_prefix")}
            else default_prefix || regexp_replace({_DIGITS}, '^0', '')
        end
        """,
        "A phone number with a `+`. Spaces, `-`, `.`, `/` and parentheses go. `00` becomes `+`. A number without either gets"
        " `default_prefix`: `+` alone for numbers with their country code, or a country code such as `'+49'` for national"
        " numbers, whose first `0` goes. `(0)`, and a number without `+`, `00` or `0` that begins with the digits of the"
        " country code, are a fault of the row.",
    ),
    Function(
        "from_epoch_s",
        ("number",),
        _checked(
            _TRIMMED,
            r"[0-9]{1,11}(\.[0-9]{1,6}0*)?",
            f"strftime(make_timestamp(cast(cast({_TRIMMED} as decimal(24, 6)) * 1000000 as bigint)), '%Y-%m-%dT%H:%M:%S.%fZ')",
            "seconds since 1970, in digits",
        ),
        "A timestamp from seconds since 1970, with a fraction or without.",
    ),
    Function(
        "from_epoch_ms",
        ("number",),
        _checked(
            _TRIMMED,
            r"[0-9]{1,14}(\.0+)?",
            "strftime(make_timestamp(cast(cast("
            f"{_TRIMMED} as decimal(18, 0)) as bigint) * 1000), '%Y-%m-%dT%H:%M:%S.%fZ')",
            "milliseconds since 1970, in digits",
        ),
        "A timestamp from milliseconds since 1970.",
    ),
    Function(
        "from_rfc2822",
        ("text",),
        _checked(
            _TRIMMED_TEXT,
            _RFC_2822,
            "strftime(timezone('UTC', strptime(regexp_replace(regexp_replace("
            f"{_TRIMMED_TEXT}, '^[A-Z][a-z]{{2}}, ', ''), '(GMT|UTC|UT|Z)$', '+0000'), '%d %b %Y %H:%M:%S %z')),"
            " '%Y-%m-%dT%H:%M:%SZ')",
            "a date of RFC 2822, such as Mon, 05 Jan 2026 12:30:00 +0000",
        ),
        "A timestamp from a date as in e-mail headers: `Mon, 05 Jan 2026 12:30:00 +0000`.",
    ),
    Function(
        "from_local",
        ("local_time", "zone"),
        _LOCAL_BODY,
        "A timestamp from a local time, `YYYY-MM-DD HH:MM[:SS[.ffffff]]` or a DuckDB timestamp, in a time zone of the IANA"
        " database. A local time that the clocks skip or repeat is a fault of the row.",
    ),
    Function(
        "abs_decimal",
        ("number",),
        rf"regexp_replace({_TRIMMED}, '^-([0-9.])', '\1')",
        "A number without its minus sign; its digits stay as they are.",
    ),
    Function(
        "times",
        ("a", "b"),
        _TIMES_BODY,
        "The exact product of two decimal numbers, each with at most 10 digits before the point and 9 after it."
        " An exponent is written out first: `7.5e-05` is 0.000075.",
    ),
    Function(
        "plain",
        ("number",),
        rf"regexp_replace({_TRIMMED}, '^([+-]?[0-9]+)\.0+$', '\1')",
        "A whole number without its point and zeros: `30003.0` becomes `30003`. Other text stays as it is.",
    ),
)
