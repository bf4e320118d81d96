"""Internet addresses: which are public, and which serve a cloud's metadata."""

import ipaddress
import socket
from collections.abc import Iterator

# Metadata services that are not link-local. Those of AWS, Azure, Google, Tencent and Huawei are
# link-local, such as 169.254.169.254.
_METADATA = {
    ipaddress.ip_address(address)
    for address in (
        "100.96.0.96",  # Volcano Engine
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's WireServer
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
    )
}
# RFC 6052 and RFC 8215: the last 32 bits are the IPv4 address that the gateway connects to.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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
    return any(each.is_link_local or each in _METADATA for each in _with_embedded(address))


def is_public(address: str) -> bool:
    """Return whether anybody on the internet can connect to it."""
    return all(
        # Python counts multicast and unassigned IPv6 addresses as global.
        each.is_global
        and not each.is_multicast
        and each not in _METADATA
        and (each.version == 4 or _is_unicast(each) or _is_nat64(each))
        for each in _with_embedded(address)
    )


def _with_embedded(address: str) -> Iterator[_Address]:
    """Yield the address, and the IPv4 address that a gateway or the system derives from it."""
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
    if _is_nat64(outer) or int(outer) >> 32 == 0:  # ::a.b.c.d is a deprecated form of IPv4
        yield ipaddress.IPv4Address(int(outer) & 0xFFFFFFFF)


def _is_nat64(address: _Address) -> bool:
    return any(address in network for network in _NAT64)


def _is_unicast(address: _Address) -> bool:
    return int(address) >> 125 == 0b001  # 2000::/3, the only block assigned so far
