"""Which addresses may be read: for lists of videos that strangers have a hand in."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a video's URL may lead to; anything else fails with AccessError, which says why.

    Raises ParameterError (a ValueError) for a value that cannot work.
    """

    allowed_schemes: tuple[str, ...] = ()
    """"https", "tos", … and "file" for plain paths too; empty: all"""
    allowed_hosts: tuple[str, ...] = ()
    """of http(s): names, or "*.example.com" for all below one; of tos, s3 and the like: buckets;
    empty: all"""
    allowed_roots: tuple[str, ...] = ()
    """folders that local files must lie in, once symbolic links are resolved; empty: all"""
    private_addresses: bool = True
    """False refuses what resolves to an address that is not public: loopback, private and reserved
    ones. Link-local addresses, where clouds keep their metadata service, are always refused."""
