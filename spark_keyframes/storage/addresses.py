"""Internet addresses: which are public, and which serve a cloud's metadata."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*networks: str) -> tuple[Any, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)


# Metadata services that are not link-local. Those of AWS, Azure, Google, Tencent and Huawei are
# link-local, such as 169.254.169.254.
_METADATA = _networks(
    "100.96.0.96",  # Volcano Engine
    "100.100.100.200",  # Alibaba
    "168.63.129.16",  # Azure's WireServer
    "192.0.0.192",  # Oracle
    "fd00:ec2::/32",  # AWS: metadata at ::254, credentials of Kubernetes' pods at ::23
    "fd00:42::42",  # Scaleway
    "fd20:ce::254",  # Google
)
# Blocks of IANA's registries of special-purpose addresses that `is_global` lacks, in Python 3.11 or
# in later versions. In 192.0.0.0/24 and 2001::/23 some addresses are reachable from everywhere, but
# they are the nearest relay or gateway, and no server of videos.
_SPECIAL = _networks(
    "192.0.0.0/24",  # protocol assignments, such as 192.0.0.8
    "192.88.99.0/24",  # relays of 6to4
    "64:ff9b:1::/48",  # gateways of the local network
    "2001::/23",  # protocol assignments
    "3fff::/20",  # documentation
)
_UNICAST = _networks("2000::/3", "64:ff9b::/96")  # the only blocks of public IPv6 addresses
_NAT64 = _networks("64:ff9b::/96", "64:ff9b:1::/48")  # RFC 6052 and RFC 8215


def resolve(host: str, port: int | None) -> list[str]:
    """Return the addresses of a host, in the order in which to try them.

    Check these addresses, never the text of a URL. The operating system reads 2852039166 and
    0xa9fea9fe as 169.254.169.254.

    Raises:
        socket.gaierror: the host has no address.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_metadata(address: str) -> bool:
    """Return whether it is link-local, or a known address of a cloud's metadata service."""
    return any(each.is_link_local or _is_in(each, _METADATA) for each in _with_embedded(address))


def is_public(address: str) -> bool:
    """Return whether anybody on the internet can connect to it."""
    return all(
        each.is_global
        and not each.is_multicast  # global for Python
        and not _is_in(each, _METADATA + _SPECIAL)
        and (each.version == 4 or _is_in(each, _UNICAST))
        for each in _with_embedded(address)
    )


def _is_in(address: _Address, networks: tuple[Any, ...]) -> bool:
    return any(address in network for network in networks)


def _with_embedded(address: str) -> Iterator[_Address]:
    """Yield the address, and all IPv4 addresses that a gateway or the system may derive from it."""
    outer = ipaddress.ip_address(address.partition("%")[0])
    if not isinstance(outer, ipaddress.IPv6Address):
        yield outer
        return
    if outer.ipv4_mapped:  # the operating system connects to the IPv4 address
        yield outer.ipv4_mapped
        return
    yield outer
    if outer.sixtofour:
        yield outer.sixtofour
    yield from outer.teredo or ()
    yield from map(ipaddress.IPv4Address, _embedded(outer))


def _embedded(outer: ipaddress.IPv6Address) -> Iterator[int]:
    """Yield the IPv4 addresses of the forms that Python does not know, as numbers."""
    bits = int(outer)
    upper, interface = bits >> 32, bits >> 32 & 0xFFFFFFFF
    if (
        upper in (0, 0xFFFF0000)  # ::a.b.c.d, a deprecated form, and ::ffff:0:a.b.c.d of SIIT
        or interface in (0x5EFE, 0x02005EFE)  # ISATAP, RFC 5214
        or _is_in(outer, _NAT64)
    ):
        yield bits & 0xFFFFFFFF
    if outer in _NAT64[1]:
        # The gateway's prefix may be shorter. RFC 6052 then has the address around bits 64 to 71.
        yield (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF
        yield (bits >> 64 & 0xFF) << 24 | bits >> 32 & 0xFFFFFF
        yield bits >> 24 & 0xFFFFFFFF
