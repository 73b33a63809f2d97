"""How many examples a property test looks at: its own number, unless a profile asks for more."""

from typing import Any

from hypothesis import settings

EVERYDAY = "house"  # the profile of tests/conftest.py in which a test's own number stands


def examples(number: int, **more: Any) -> settings:
    """Return settings for `number` examples, or for as many as any other profile says.

    So HYPOTHESIS_PROFILE=thorough rules in every test; `more` are other settings, as they are.
    """
    if settings.get_current_profile_name() == EVERYDAY:
        return settings(max_examples=number, **more)
    return settings(**more)
