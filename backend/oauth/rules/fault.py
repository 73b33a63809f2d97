"""What goes wrong in OAuth's own words: RFC 6749 error codes instead of problem codes."""

from http import HTTPStatus


class OauthError(Exception):
    """An error response of RFC 6749 §5.2: a registered code and a description for developers.

    The description never repeats what the caller sent, and keeps to the characters §5.2 allows.
    """

    def __init__(
        self, code: str, description: str, *, status: int = HTTPStatus.BAD_REQUEST
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status


def invalid_request(description: str) -> OauthError:
    """The request itself is malformed (RFC 6749 §5.2)."""
    return OauthError("invalid_request", description)


def invalid_client(description: str) -> OauthError:
    """Client authentication failed (RFC 6749 §5.2): 401."""
    return OauthError("invalid_client", description, status=HTTPStatus.UNAUTHORIZED)


def invalid_grant(description: str) -> OauthError:
    """The code or token is not good for this client, key or moment (RFC 6749 §5.2)."""
    return OauthError("invalid_grant", description)
