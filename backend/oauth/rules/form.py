"""Form bodies, as the OAuth endpoints read them."""

from urllib.parse import parse_qsl

from backend.oauth.rules.fault import invalid_request

FORM_BYTES_MAX = 64 * 1024
FORM_PARAMETERS_MAX = 40
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"

Form = dict[str, str]


def parse_form(body: bytes, *, media_type: str) -> Form:
    """Read a form body (RFC 6749 appendix B); raises OauthError("invalid_request").

    §3.1, §3.2: no parameter may come twice, and one without a value is treated as left out.
    """
    if media_type.partition(";")[0].strip().lower() != FORM_MEDIA_TYPE:
        raise invalid_request("the body must be application/x-www-form-urlencoded")
    if len(body) > FORM_BYTES_MAX:
        raise invalid_request("the body is larger than 64 KB")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=FORM_PARAMETERS_MAX,
            errors="strict",
        )
    except ValueError as error:
        raise invalid_request("the body is not a form in UTF-8") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise invalid_request("a parameter is given twice")
    # PostgreSQL text can't hold NUL, and nothing meant for a person or a machine needs it.
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise invalid_request("the body contains a NUL character")
    return {name: value for name, value in pairs if value}


def required(form: Form, name: str) -> str:
    """Return a parameter that must be there; raises OauthError("invalid_request")."""
    value = form.get(name)
    if value is None:
        raise invalid_request(f"{name} is missing")
    return value
