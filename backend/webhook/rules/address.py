"""Where messages may be sent: public addresses, over TLS, and nowhere else.

A URL that a partner gives is a request that we make on its behalf. Without these rules it could
reach what only we can reach: our own ports, the neighbours in the network, the cloud's metadata
(OWASP API7:2023, server-side request forgery). The URL is looked at when it is given, and each
address its name leads to when something is sent: a name can lead elsewhere by then.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

URL_LENGTH_MAX: Final = 500
PORTS: Final = frozenset({443, 8443})
Address = IPv4Address | IPv6Address

# RFC 3986 characters, percent-encoding included.
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
# A resolver takes "2130706433", "0x7f.1" and "127.1" for addresses (WHATWG URL, "ends in a
# number"): no public name looks like that.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
# Names that mean a place inside (RFC 6761, RFC 6762, RFC 8375), whatever they resolve to.
_INSIDE = ("localhost", "local", "internal", "home.arpa", "localdomain")

# What `is_global` of the standard library lets pass, or let pass in some release.
_DENIED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598), and 100.100.100.200: metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and 169.254.169.254: metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "2001::/23",  # Teredo among others
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
# All that IANA has given out for the internet; what lies outside of it leads somewhere else.
_IPV6_GLOBAL = ip_network("2000::/3")


class TargetPolicy(msgspec.Struct, frozen=True):
    """Whether receivers on the machine itself are allowed: on a developer's, and nowhere else."""

    allow_loopback: bool


def url_faults(url: str, policy: TargetPolicy) -> list[str]:
    """Return what is wrong with the URL of an endpoint, one sentence each; empty when nothing is.

    https on port 443 or 8443, a public name or address, no user, no fragment; http and any port on
    the loopback address where the policy allows it.
    """
    if len(url) > URL_LENGTH_MAX or _URL_CHARACTERS.fullmatch(url) is None:
        return [f"the URL has at most {URL_LENGTH_MAX} characters, all of them RFC 3986 characters"]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ["this is not a URL"]
    faults = []
    if not host:
        return ["the URL is not absolute"]
    if "#" in url:
        faults.append("the URL has a fragment")
    if "@" in parts.netloc:
        faults.append("the URL carries user information")
    if policy.allow_loopback and _is_loopback(host):
        if parts.scheme not in ("http", "https"):
            faults.append("the URL is neither http nor https")
        return faults
    if parts.scheme != "https":
        faults.append("the URL is not https")
    if port is not None and port not in PORTS:
        faults.append(f"the port is none of {', '.join(map(str, sorted(PORTS)))}")
    return faults + _host_faults(host)


def is_allowed(address: Address, policy: TargetPolicy) -> bool:
    """Whether something may be sent to an address.

    An IPv6 address that carries an IPv4 one (mapped, RFC 4291; NAT64, RFC 6052) is as good as that.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_allowed(inner, policy)
    if address.is_loopback:
        return policy.allow_loopback
    if address.version == 6 and address not in _IPV6_GLOBAL:
        return False
    denied = any(address in each for each in _DENIED_NETWORKS if each.version == address.version)
    return not denied and address.is_global and not address.is_multicast


def _host_faults(host: str) -> list[str]:
    address = _address_of(host)
    if address is not None:
        fine = is_allowed(address, TargetPolicy(allow_loopback=False))
        return [] if fine else ["the address is not a public one"]
    labels = host.removesuffix(".").split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return ["the host is no public name"]
    if _NUMBER.fullmatch(labels[-1]):
        return ["the host is an address in disguise"]
    name = ".".join(labels).lower()
    if any(name == inside or name.endswith("." + inside) for inside in _INSIDE):
        return ["the host is no public name"]
    return []


def _is_loopback(host: str) -> bool:
    address = _address_of(host)
    return host == "localhost" if address is None else address.is_loopback


def _address_of(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
