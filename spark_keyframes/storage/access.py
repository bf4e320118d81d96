"""The rules on which addresses may be read, for lists of videos that strangers can change."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_keyframes.checks import check_type, path_text
from spark_keyframes.errors import AccessError, ParameterError
from spark_keyframes.fields import documented
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.addresses import is_metadata, is_public
from spark_keyframes.urls import check_length, host_of, is_host, is_local, scheme_of

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True, kw_only=True)
class Access:
    """The addresses and folders that may be read. Any other fails with AccessError.

    Args:
        allowed_schemes: Read only URLs of these schemes, such as https and tos; plain paths are
            file. Empty: all.
        allowed_hosts: Read only from these hosts (*.example.com: all below one) or, for tos, s3 and
            the like, buckets. Empty: all.
        allowed_roots: Read local files only in these folders, after symbolic links are resolved.
            Empty: all.
        private_addresses: Read over HTTP from addresses that are not public: loopback, private and
            reserved ones. Link-local addresses, where clouds keep their metadata service, are never
            read. Does not apply to tos and s3, whose endpoint you set yourself.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    allowed_schemes: tuple[str, ...] = documented(
        (),
        "Read only URLs of these schemes, such as https and tos; plain paths are file. Empty: all.",
    )
    allowed_hosts: tuple[str, ...] = documented(
        (),
        "Read only from these hosts (*.example.com: all below one) or, for tos, s3 and the like, "
        "buckets. Empty: all.",
    )
    allowed_roots: tuple[str, ...] = documented(
        (), "Read local files only in these folders, after symbolic links are resolved. Empty: all."
    )
    private_addresses: bool = documented(
        True,
        "Read over HTTP from addresses that are not public: loopback, private and reserved ones. "
        "Link-local addresses, where clouds keep their metadata service, are never read. Does not "
        "apply to tos and s3, whose endpoint you set yourself.",
    )

    def __post_init__(self) -> None:
        for name, normalise, example in (
            ("allowed_schemes", _scheme, '("https", "tos")'),
            ("allowed_hosts", _host, '("videos.example.com", "*.example.org")'),
            ("allowed_roots", _root, '("/data/videos",)'),
        ):
            values = _strings(name, getattr(self, name), example)
            object.__setattr__(self, name, tuple(normalise(name, value) for value in values))
        check_type("private_addresses", self.private_addresses, bool, "True or False")

    def check_url(self, url: str) -> None:
        """Raise AccessError unless the URL's scheme, and its host or bucket, are allowed.

        Raises:
            SourceReadError: it is longer than any URL may be.
        """
        check_length(url)
        scheme = "file" if is_local(url) else scheme_of(url)
        if self.allowed_schemes and scheme not in self.allowed_schemes:
            raise AccessError(
                f"{redact_url(url)} has scheme {scheme!r}, and allowed_schemes are "
                f"{', '.join(self.allowed_schemes)}; add it there, or leave the video out"
            )
        if self.allowed_hosts and scheme != "file":
            host = host_of(url)
            if not any(_matches(host, pattern) for pattern in self.allowed_hosts):
                raise AccessError(
                    f"{redact_url(url)} has host {host!r}, and allowed_hosts are "
                    f"{', '.join(self.allowed_hosts)}; add it there, or leave the video out"
                )

    def check_path(self, url: str, path: str) -> None:
        """Raise AccessError unless `path` lies in one of the allowed folders.

        Args:
            url: the URL as it was given, for the message.
            path: its path, with symbolic links resolved.
        """
        roots = [os.path.realpath(root) for root in self.allowed_roots]
        if roots and not any(Path(path).is_relative_to(root) for root in roots):
            # Do not reveal where symbolic links point.
            raise AccessError(
                f"{redact_url(url)}, with symbolic links resolved, is in none of allowed_roots: "
                f"{', '.join(self.allowed_roots)}; add its folder there, or leave the video out"
            )

    def check_addresses(self, host: str, addresses: Iterable[str]) -> None:
        """Raise AccessError unless all `addresses`, to which `host` resolves, are allowed."""
        for address in addresses:
            if is_metadata(address):
                raise AccessError(
                    f"host {host!r} resolves to {address}, a link-local or cloud metadata address; "
                    "such addresses are never read; use the address of a video"
                )
            if not self.private_addresses and not is_public(address):
                raise AccessError(
                    f"host {host!r} resolves to {address}, which is not a public address; with "
                    "private_addresses=False only public addresses are read"
                )


def _strings(name: str, value: Any, example: str) -> tuple[str, ...]:
    advice = f"use e.g. {name}={example}"
    if isinstance(value, str | bytes | os.PathLike):
        raise ParameterError(f"{name} must be a tuple, got the single {value!r}; {advice}")
    if not isinstance(value, Iterable):
        raise ParameterError(f"{name} must be a tuple of strings, got {value!r}; {advice}")
    items = tuple(map(path_text, value))
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
    if not is_host(host.removeprefix("*.")):
        raise ParameterError(
            f"{name} must hold names of hosts or buckets in ASCII, without scheme, port and path, "
            f'got {value!r}; use e.g. "videos.example.com", or "*.example.com" for its subdomains'
        )
    return host


def _root(name: str, value: str) -> str:
    if not Path(value).is_absolute() or "\0" in value:
        raise ParameterError(
            f"{name} must hold absolute paths of folders, got {value!r}; the working "
            "directory of the workers is not the driver's, use e.g. /data/videos"
        )
    return value


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
