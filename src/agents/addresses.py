"""Where the research agent may connect to: public addresses on the web's ports, and nothing else.

Names are resolved here and the caller connects to the address that was checked, never to the name
again: a name server that answers differently the second time changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from src.errors import RuntimeFault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressRule = Callable[[Address], bool]

WEB_PORTS = frozenset({80, 443})
FIRST_UNPRIVILEGED_PORT = 1024

# Addresses that carry an IPv4 address inside (NAT64, 6to4, Teredo, translated) and could name a private
# one; Python counts some of them as global.
_CARRIERS = tuple(
    ipaddress.IPv6Network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96", "::/96")
)


class AddressRefused(RuntimeFault, ValueError):
    """The URL names something that this agent doesn't connect to."""


class NameUnknown(RuntimeFault, OSError):
    """The host's name has no address."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _CARRIERS):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_url(url: str) -> SplitResult:
    """The URL's parts, if its form is acceptable. Raises `AddressRefused`. Resolves nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"not a valid URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise AddressRefused("only http and https are fetched")
    if not parts.hostname:
        raise AddressRefused("the URL has no host")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("a URL with a user name or password isn't fetched")
    if port is not None:
        check_port(port)
    return parts


def check_port(port: int) -> None:
    """Refuse ports of other services such as SSH or mail. Raises `AddressRefused`."""
    if port not in WEB_PORTS and port < FIRST_UNPRIVILEGED_PORT:
        raise AddressRefused(f"port {port} isn't one that web pages are on")


def default_port(scheme: str) -> int:
    """The port of a URL that names none."""
    return 443 if scheme == "https" else 80


def any_address(_address: Address) -> bool:
    """The rule for tests and for an operator who wants pages of the own network read."""
    return True


async def resolve(host: str, port: int, rule: AddressRule = is_public) -> list[str]:
    """Addresses of a host, in the resolver's order.

    Raises `NameUnknown`, and `AddressRefused` if even one of them breaks the rule: a name with both
    kinds is an attempt to get in.
    """
    loop = asyncio.get_running_loop()
    # Reserved for names that don't exist (RFC 6761): no reason to ask a server.
    if host.endswith(".invalid"):
        raise NameUnknown(f"the name '{host}' can't be resolved")
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameUnknown(f"the name '{host}' can't be resolved") from error
    # An IPv6 address of a link carries its interface behind a percent sign.
    addresses = list(dict.fromkeys(str(row[4][0]).split("%")[0] for row in found))
    if not all(rule(ipaddress.ip_address(address)) for address in addresses):
        raise AddressRefused(f"'{host}' isn't on the public internet")
    return addresses
