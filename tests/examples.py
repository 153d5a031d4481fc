"""How many examples a property is tried on: in the suite a few, each time the same; many, and others every time, in
`make torture` (`--hypothesis-profile=torture`).
"""

from hypothesis import settings

TORTURE = "torture"
TIMES_AS_MANY = 10

settings.register_profile(TORTURE, max_examples=1_000, deadline=None, print_blob=True)


def tried(count: int, *, torture: int | None = None, **more: object) -> settings:
    """Settings with so many examples; under the profile with `torture`, or ten times as many, made at random."""
    if settings.get_current_profile_name() == TORTURE:
        return settings(max_examples=torture or count * TIMES_AS_MANY, derandomize=False, deadline=None, **more)
    return settings(max_examples=count, derandomize=True, deadline=None, **more)
