"""Network addresses of callers, as tries are counted for them."""

import ipaddress


def address_key(address: str) -> str:
    """Name the network that tries are counted for: an IPv4 address, or an IPv6 /64.

    A household or a phone gets a whole /64 and could change address for every try. A socket
    without an address (a Unix socket) is one network of its own.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "none"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
