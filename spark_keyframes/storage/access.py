"""Which addresses may be read: for lists of videos that strangers have a hand in."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_keyframes.checks import check_type
from spark_keyframes.errors import AccessError, ParameterError
from spark_keyframes.storage.addresses import is_ipv6, is_metadata, is_public
from spark_keyframes.storage.base import is_local
from spark_keyframes.urls import redact_url, scheme_of

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# What stands between the slashes: user info, then a name or an address in brackets, then a port.
_AUTHORITY = re.compile(r"(?:[^\\]*@)?(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?")


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
    """of http(s): False refuses hosts that resolve to an address which is not public: loopback,
    private and reserved ones. Link-local addresses, where clouds keep their metadata service, are
    always refused. Not of tos: its endpoint is the operator's own choice."""

    def __post_init__(self) -> None:
        for name, normalised, example in (
            ("allowed_schemes", _scheme, '("https", "tos")'),
            ("allowed_hosts", _host, '("videos.example.com", "*.example.org")'),
            ("allowed_roots", _root, '("/data/videos",)'),
        ):
            values = _strings(name, getattr(self, name), example)
            object.__setattr__(self, name, tuple(normalised(name, value) for value in values))
        check_type("private_addresses", self.private_addresses, bool, "True or False")

    def check_url(self, url: str) -> None:
        """Raise AccessError unless the URL's scheme, and its host or bucket, are allowed."""
        scheme = "file" if is_local(url) else scheme_of(url)
        if self.allowed_schemes and scheme not in self.allowed_schemes:
            raise AccessError(
                f"{redact_url(url)} has scheme {scheme!r}, and allowed_schemes are "
                f"{', '.join(self.allowed_schemes)}; add it there, or leave the video out"
            )
        if self.allowed_hosts and scheme != "file":
            host = _host_of(url)
            if not any(_matches(host, pattern) for pattern in self.allowed_hosts):
                raise AccessError(
                    f"{redact_url(url)} has host {host!r}, and allowed_hosts are "
                    f"{', '.join(self.allowed_hosts)}; add it there, or leave the video out"
                )

    def check_path(self, url: str, path: str) -> None:
        """Raise AccessError unless `path`, its symbolic links resolved, lies in a root.

        `url` is what led to it, for the message.
        """
        roots = [os.path.realpath(root) for root in self.allowed_roots]
        if roots and not any(Path(path).is_relative_to(root) for root in roots):
            # Not the resolved path: how the folders of this machine are linked is nobody's matter.
            raise AccessError(
                f"{redact_url(url)} lies, with symbolic links resolved, in none of allowed_roots: "
                f"{', '.join(self.allowed_roots)}; add its folder there, or leave the video out"
            )

    def check_addresses(self, host: str, addresses: Iterable[str]) -> None:
        """Raise AccessError unless all addresses that `host` resolves to may be connected to."""
        for address in addresses:
            if is_metadata(address):
                raise AccessError(
                    f"host {host!r} leads to {address}, where a network keeps services for its own "
                    "machines, such as a cloud's metadata: never read; give a video's address"
                )
            if not self.private_addresses and not is_public(address):
                raise AccessError(
                    f"host {host!r} leads to {address}, which is not a public address; with "
                    "private_addresses=False only public ones are read"
                )


def _strings(name: str, value: Any, example: str) -> tuple[str, ...]:
    advice = f"use e.g. {name}={example}"
    if isinstance(value, str | bytes | os.PathLike):
        raise ParameterError(f"{name} must be a tuple, got the single {value!r}; {advice}")
    if not isinstance(value, Iterable):
        raise ParameterError(f"{name} must be a tuple of strings, got {value!r}; {advice}")
    items = tuple(os.fspath(item) if isinstance(item, os.PathLike) else item for item in value)
    for item in items:
        if not isinstance(item, str):
            raise ParameterError(f"{name} must hold strings, got {item!r}; {advice}")
    return items


def _scheme(name: str, value: str) -> str:
    scheme = value.lower()
    if not _SCHEME.fullmatch(scheme):
        raise ParameterError(f'{name} must hold schemes such as "https" or "file", got {value!r}')
    return "file" if is_local(f"{scheme}://") else scheme


def _host(name: str, value: str) -> str:
    host = value.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not _is_host(host.removeprefix("*.")):
        raise ParameterError(
            f"{name} must hold names of hosts or buckets in ASCII, without scheme, port and path, "
            f'got {value!r}; use e.g. "videos.example.com", or "*.example.com" for all below it'
        )
    return host


def _root(name: str, value: str) -> str:
    if not Path(value).is_absolute() or "\0" in value:
        raise ParameterError(
            f"{name} must hold absolute paths of folders, got {value!r}; the workers' current "
            "folder is not the driver's: use e.g. /data/videos"
        )
    return value


def _host_of(url: str) -> str:
    """The host or bucket; empty where it cannot be told for sure, which matches nothing."""
    match = _AUTHORITY.fullmatch(re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0])
    host = (match[1] or match[2]).lower().removesuffix(".") if match else ""
    return host if _is_host(host) else ""


def _is_host(host: str) -> bool:
    return bool(_NAME.fullmatch(host)) or is_ipv6(host)


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
