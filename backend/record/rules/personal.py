"""Numbers that name a person, where they must not stand: in what is kept or shown in the clear.

A dump of the database, searched for known identity and phone numbers, finds none. What people type
is searched as they write it: in full width, in groups, with the country's prefix.
"""

import re
import unicodedata

PERSONAL_CHARACTERS_MIN = 11
# In groups only with a year of birth of somebody of age: offices write their numbers in groups too
# (310115-20260501-0012).
_GAP = r"[ ./:#-]?"
_PERSONAL = re.compile(
    r"[0-9]{17}[0-9Xx]"
    rf"|(?<![0-9])[0-9]{{6}}{_GAP}(?:19[0-9]|200)[0-9]{_GAP}[01][0-9]{_GAP}[0-3][0-9]{_GAP}"
    r"[0-9]{3}[0-9Xx](?![0-9])"
    r"|(?<![0-9])(?:86 ?)?1[3-9][0-9] ?[0-9]{4} ?[0-9]{4}(?![0-9])"
)


def holds_personal_number(text: str) -> bool:
    """Say whether an identity number (GB 11643) or a mobile phone number stands in a text."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _PERSONAL.search(plain) is not None
