"""Passwords as argon2id (RFC 9106). Each call takes a tenth of a second: call it in a thread."""

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

# OWASP Password Storage: 19 MiB, two passes, one lane. What anybody may ask for without a token
# has to be bounded: the desk lets two at once use so much.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Nobody's: what is compared when there is no such login, so that it takes as long.
NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$MGWgW1/Fu9GckUUhiNegSg"
    "$GJWgQ/etrDah5DOmzZpXddaRafvZJlp6NddK+gqtWA8"
)


def hash_password(password: str) -> str:
    """Return the PHC string of a password, with a salt of its own."""
    return HASHER.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Compare a password with a stored one; without one it takes as long and is never right."""
    try:
        same = HASHER.verify(stored or NOBODY, password)
    except (Argon2Error, InvalidHashError):
        return False
    return same and stored is not None
