"""The environment, read once at the door and turned into frozen structs.

Above the rooms: no room reads configuration. Each variable `CREDIT_X` may be given as
`CREDIT_X_FILE`, the path of a file that holds its value (container secrets). Unknown `CREDIT_*`
names are faults, and all faults are reported at once.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

PREFIX = "CREDIT_"
# How the keys of a demo begin: production tells them from keys that an operator made.
DEMO_KEY_MARK = b"demo"
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsFault(Exception):
    """The environment can't be used; `faults` says why, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Secret:
    """A value that is never printed."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the value itself, for the one place that uses it."""
        return self._value

    def __repr__(self) -> str:
        return "***"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the service can be told from outside; see VARIABLES for what each one means."""

    env: str
    database_url: str | None
    database_pool_size: int
    valkey_url: str | None
    host: str
    port: int
    metrics_host: str
    metrics_port: int
    worker_metrics_port: int
    public_origin: str
    trusted_proxies: tuple[str, ...]
    kek: Secret | None
    digest_key: Secret | None
    crypto_profile: str
    identity_register_file: Path | None
    code_file: Path | None
    sms_gateway_url: str | None
    sms_gateway_token: Secret | None
    webhook_allow_loopback: bool
    local_dir: Path

    def __repr__(self) -> str:
        """Show the settings without what is secret: a URL may hold a password."""
        shown = [
            f"{name}=***" if name in SECRETS and value is not None else f"{name}={value!r}"
            for name, value in msgspec.structs.asdict(self).items()
        ]
        return f"Settings({', '.join(shown)})"

    @property
    def is_production(self) -> bool:
        """Whether demo identities, keys and senders are refused."""
        return self.env == "production"


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: how it is read, what it is without a value, what it means."""

    name: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str
    is_secret: bool = False


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a number from {low} to {high}")
        return int(text)

    return parse


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text == "yes"


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise ValueError(f"must be a URL with scheme {' or '.join(schemes)}")
        return text

    return parse


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or text.endswith("/"):
        raise ValueError("must be an origin such as https://credit.example.cn, without a path")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an origin: scheme, host and port only")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK_HOSTS:
        raise ValueError("must be https, except on the loopback address")
    return text


def _addresses(text: str) -> tuple[str, ...]:
    networks = tuple(part.strip() for part in text.split(",") if part.strip())
    for network in networks:
        try:
            prefix = ip_network(network).prefixlen
        except ValueError:
            raise ValueError("must be addresses or networks such as 10.0.0.0/8") from None
        if prefix == 0:
            raise ValueError("must name the proxies, not everybody: anyone could say who they are")
    return networks


def _key(text: str) -> Secret:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ValueError("must be 32 bytes in URL-safe base64, with padding")
    return Secret(key)


def _secret_text(text: str) -> Secret:
    return Secret(text.encode())


VARIABLES: tuple[Variable, ...] = (
    Variable("ENV", _one_of("demo", "production"), "demo", "demo allows synthetic identities"),
    Variable(
        "DATABASE_URL",
        _url("postgresql", "postgres"),
        None,
        "PostgreSQL 18; the local stack starts its own when this is not set",
        is_secret=True,
    ),
    Variable("DATABASE_POOL_SIZE", _number(2, 200), "10", "connections a process may hold"),
    Variable(
        "VALKEY_URL",
        _url("redis", "rediss", "unix"),
        None,
        "Valkey 9; the local stack starts its own when this is not set",
        is_secret=True,
    ),
    Variable("HOST", str, "127.0.0.1", "address the API listens on"),
    Variable("PORT", _number(1, 65535), "8000", "port the API listens on"),
    Variable("METRICS_HOST", str, "127.0.0.1", "address of the internal metrics port"),
    Variable("METRICS_PORT", _number(1, 65535), "9000", "internal port of /metrics"),
    Variable(
        "WORKER_METRICS_PORT", _number(0, 65535), "9001", "the worker's /metrics; 0 serves none"
    ),
    Variable(
        "PUBLIC_ORIGIN",
        _origin,
        None,
        "how the world reaches the API, and the OAuth issuer; http://HOST:PORT in the demo",
    ),
    Variable(
        "TRUSTED_PROXIES",
        _addresses,
        "",
        "addresses or networks of the proxies in front, comma-separated: only their"
        " X-Forwarded-For is believed; without it sign-in limits would count the proxy's address",
    ),
    Variable(
        "KEK", _key, None, "key-encryption key: 32 random bytes, URL-safe base64", is_secret=True
    ),
    Variable(
        "DIGEST_KEY",
        _key,
        None,
        "key of the lookup digests and subject ids: 32 random bytes, URL-safe base64",
        is_secret=True,
    ),
    Variable(
        "CRYPTO_PROFILE",
        _one_of("international", "gm"),
        "international",
        "international: AES-256-GCM, HMAC-SHA-256; gm: SM4-GCM, HMAC-SM3",
    ),
    Variable(
        "IDENTITY_REGISTER_FILE",
        Path,
        None,
        "keyed digests of (national id, name, phone) that may register",
    ),
    Variable("CODE_FILE", Path, None, "demo only: one-time codes are appended to this file"),
    Variable(
        "SMS_GATEWAY_URL",
        _url("https", "http"),
        None,
        "text messages are sent by POST {phone, text} to this address",
    ),
    Variable(
        "SMS_GATEWAY_TOKEN",
        _secret_text,
        None,
        "bearer token for the text message gateway",
        is_secret=True,
    ),
    Variable(
        "WEBHOOK_ALLOW_LOOPBACK",
        _yes_or_no,
        None,
        "demo only: partners' receivers may be on this machine (yes or no; yes in the demo)",
    ),
    Variable("LOCAL_DIR", Path, ".local", "where the local stack keeps its data and demo keys"),
)

SECRETS = frozenset(variable.name.lower() for variable in VARIABLES if variable.is_secret)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment; raises SettingsFault with every fault found."""
    faults: list[str] = []
    known = {PREFIX + variable.name for variable in VARIABLES}
    known |= {name + "_FILE" for name in known}
    faults += [
        f"{name} is not a variable of this service"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        try:
            text = _text_of(variable, environ)
            values[variable.name.lower()] = None if text is None else variable.parse(text)
        except ValueError as fault:
            faults.append(f"{PREFIX}{variable.name} {fault}")
            values[variable.name.lower()] = None
    if not faults:
        if values["public_origin"] is None:
            values["public_origin"] = f"http://{values['host']}:{values['port']}"
        if values["webhook_allow_loopback"] is None:
            values["webhook_allow_loopback"] = values["env"] != "production"
        faults += _faults_together(values)
    if faults:
        raise SettingsFault(faults)
    return Settings(**values)


def _text_of(variable: Variable, environ: Mapping[str, str]) -> str | None:
    name = PREFIX + variable.name
    direct, path = environ.get(name), environ.get(name + "_FILE")
    # IDENTITY_REGISTER_FILE and CODE_FILE end like a file variant but are variables themselves.
    if direct and path:
        raise ValueError("is given twice, also as a file")
    if path:
        try:
            return Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise ValueError("names a file that can't be read") from None
    return direct or variable.default


def _faults_together(values: Mapping[str, Any]) -> list[str]:
    """Check what only shows when the values are seen together."""
    if values["env"] != "production":
        return []
    faults = [
        f"{PREFIX}{name.upper()} must be set in production"
        for name in (
            "database_url",
            "valkey_url",
            "kek",
            "digest_key",
            "identity_register_file",
            "sms_gateway_url",
        )
        if values[name] is None
    ]
    faults += [
        f"{PREFIX}{name.upper()} is a demo's key: make one of your own for production"
        for name in ("kek", "digest_key")
        if values[name] is not None and values[name].reveal().startswith(DEMO_KEY_MARK)
    ]
    if values["code_file"] is not None:
        faults.append(f"{PREFIX}CODE_FILE must not be set in production: it shows one-time codes")
    if values["webhook_allow_loopback"]:
        faults.append(
            f"{PREFIX}WEBHOOK_ALLOW_LOOPBACK must not be yes in production: a partner's URL could"
            " reach what listens on this machine only"
        )
    if urlsplit(values["public_origin"]).scheme != "https":
        faults.append(f"{PREFIX}PUBLIC_ORIGIN must be https in production")
    if not values["trusted_proxies"]:
        # We speak no https, so there is a proxy: every citizen would seem to have its address.
        faults.append(
            f"{PREFIX}TRUSTED_PROXIES must be set in production: whoever comes through a proxy"
            " without a name shares one sign-in limit with everybody else"
        )
    gateway = urlsplit(values["sms_gateway_url"] or "https:")
    if gateway.scheme != "https" and gateway.hostname not in _LOOPBACK_HOSTS:
        faults.append(
            f"{PREFIX}SMS_GATEWAY_URL must be https in production, except on the loopback address"
        )
    keys = [each.reveal() for each in (values["kek"], values["digest_key"]) if each is not None]
    if len(set(keys)) < len(keys):
        # One is rotated, the other never; and whoever comes by one must not have both.
        faults.append(f"{PREFIX}KEK and {PREFIX}DIGEST_KEY must differ in production")
    return faults


def env_example() -> str:
    """Return the text of `.env.example`: every variable, its meaning and its default."""
    lines = ["# Made by `creditplus env-example`; each may be given as NAME_FILE instead.", ""]
    for variable in VARIABLES:
        secret = " (secret)" if variable.is_secret else ""
        lines.append(f"# {variable.meaning}{secret}")
        lines.append(f"#{PREFIX}{variable.name}={variable.default or ''}")
        lines.append("")
    return "\n".join(lines)
