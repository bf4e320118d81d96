"""Internet addresses: which of them strangers must not make this machine connect to."""

import ipaddress
import socket
from collections.abc import Iterator

# The ones of clouds that are not link-local. Link-local are those of AWS, Azure, Google, Tencent
# and Huawei: 169.254.169.254 and others.
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
# Of RFC 6052 and RFC 8215: the last 32 bits are the IPv4 address that a gateway leads to.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def resolve(host: str, port: int | None) -> list[str]:
    """The addresses of a host, in the order to try them; socket.gaierror where it has none.

    What looks like a number is one to the operating system: 2852039166 and 0xa9fea9fe are
    169.254.169.254. So what is checked is what comes out of this, never the text of a URL.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address, without brackets."""
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def is_metadata(address: str) -> bool:
    """Whether it is link-local, or a known address of a cloud's metadata service."""
    return any(each.is_link_local or each in _METADATA for each in _meant_by(address))


def is_public(address: str) -> bool:
    """Whether it is one that anybody on the internet could connect to."""
    return all(
        # Python calls multicast and unassigned IPv6 addresses global.
        each.is_global
        and not each.is_multicast
        and each not in _METADATA
        and (each.version == 4 or _is_unicast(each) or _is_nat64(each))
        for each in _meant_by(address)
    )


def _meant_by(address: str) -> Iterator[_Address]:
    """The address, and the IPv4 address that a gateway or the system makes of it."""
    outer = ipaddress.ip_address(address.partition("%")[0])
    if not isinstance(outer, ipaddress.IPv6Address):
        yield outer
        return
    if outer.ipv4_mapped:  # the same to the operating system
        yield outer.ipv4_mapped
        return
    yield outer
    if outer.sixtofour:
        yield outer.sixtofour
    yield from outer.teredo or ()
    if _is_nat64(outer) or int(outer) >> 32 == 0:  # ::a.b.c.d is an old way to write IPv4
        yield ipaddress.IPv4Address(int(outer) & 0xFFFFFFFF)


def _is_nat64(address: _Address) -> bool:
    return any(address in network for network in _NAT64)


def _is_unicast(address: _Address) -> bool:
    return int(address) >> 125 == 0b001  # 2000::/3, all that is given to anybody so far
