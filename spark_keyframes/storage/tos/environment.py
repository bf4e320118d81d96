"""The settings of TOS, read from environment variables.

| variable | meaning |
|---|---|
| `TOS_ACCESS_KEY`, `TOS_SECRET_KEY` | the keys, under the names of the TOS SDK |
| `ACCESS_KEY`, `SECRET_KEY` | the keys, under the names of the documented operator |
| `TOS_SECURITY_TOKEN` | the token of temporary keys; not set for permanent keys |
| `TOS_ENDPOINT` | for example `https://tos-cn-beijing.volces.com`; default: from the region |
| `TOS_REGION` | for example `cn-beijing`; default: from the endpoint |

Both keys come from the same pair of names. The first complete pair is used, in the order above: the
SDK's names belong to TOS alone.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from spark_keyframes.errors import CredentialsError, ParameterError
from spark_keyframes.redaction import redact_url

# An endpoint and its region. `ivolces.com` is the network inside the cloud. An endpoint such as
# `tos-accelerate.volces.com` names no region.
_PUBLIC_HOST = re.compile(r"tos-([a-z]{2}-[a-z0-9-]+)\.(?:i?volces|bytepluses)\.com")
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PAIRS = (("TOS_ACCESS_KEY", "TOS_SECRET_KEY"), ("ACCESS_KEY", "SECRET_KEY"))


@dataclass(frozen=True)
class TosSettings:
    """The settings of a TOS client. The repr shows no keys."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str = field(repr=False)
    """Empty for permanent keys."""
    endpoint: str
    """Scheme and host, without a trailing slash."""
    region: str
    key_names: tuple[str, str]
    """The variables that hold the keys, for messages."""


def read_settings(environment: Mapping[str, str] = os.environ, *, stage: str) -> TosSettings:
    """Read the settings.

    Args:
        environment: the environment variables.
        stage: the stage of errors: "open", "upload" or "parameters".

    Raises:
        CredentialsError: the keys, or both endpoint and region, are missing. The message names the
            variables.
        ParameterError: the endpoint or the region is invalid.
    """

    def value(name: str) -> str:
        # Keys from files often end in a newline, which would break the signature.
        return environment.get(name, "").strip()

    def complaint(name: str) -> str:
        return f"{name} is {'empty' if name in environment else 'not set'}"

    names = next((pair for pair in _PAIRS if all(map(value, pair))), None)
    if names is None:
        started = next((pair for pair in _PAIRS if any(map(value, pair))), _PAIRS[1])
        missing = " and ".join(complaint(name) for name in started if not value(name))
        raise CredentialsError(
            f"no credentials for TOS: {missing}; set ACCESS_KEY and SECRET_KEY (or TOS_ACCESS_KEY "
            "and TOS_SECRET_KEY) in the environment of the driver and of the executors",
            stage=stage,
        )
    for name in (*names, "TOS_SECURITY_TOKEN"):
        _check_sendable(name, value(name), stage)
    endpoint, region = value("TOS_ENDPOINT"), value("TOS_REGION")
    if not endpoint and not region:
        raise CredentialsError(
            f"no address for TOS: {complaint('TOS_ENDPOINT')} and {complaint('TOS_REGION')}; set "
            "TOS_REGION, such as cn-beijing, or TOS_ENDPOINT, such as "
            "https://tos-cn-beijing.volces.com, in the environment of the driver and of the "
            "executors",
            stage=stage,
        )
    if region and not _REGION.fullmatch(region):
        raise ParameterError(
            f"TOS_REGION must be the name of a region, such as cn-beijing, got "
            f"{redact_url(region)!r}",
            stage=stage,
        )
    endpoint = _endpoint(endpoint or f"tos-{region}.volces.com", stage)
    if not region:
        match = _PUBLIC_HOST.fullmatch(urlsplit(endpoint).hostname or "")
        if not match:
            raise CredentialsError(
                f"{complaint('TOS_REGION')}, and TOS_ENDPOINT {endpoint} does not name the region; "
                "set TOS_REGION, such as cn-beijing",
                stage=stage,
            )
        region = match[1]
    return TosSettings(
        access_key=value(names[0]),
        secret_key=value(names[1]),
        security_token=value("TOS_SECURITY_TOKEN"),
        endpoint=endpoint,
        region=region,
        key_names=names,
    )


def _check_sendable(name: str, value: str, stage: str) -> None:
    """Refuse a key that no HTTP header can hold. Every request with it would fail."""
    wrong = next((i for i, c in enumerate(value) if not (c.isascii() and c.isprintable())), None)
    if wrong is not None:
        what = "a line break" if value[wrong] in "\r\n" else "not printable ASCII"
        raise CredentialsError(
            f"{name} is no key of TOS: character {wrong + 1} of {len(value)} is {what}; set it "
            "again in the environment of the driver and of the executors",
            stage=stage,
        )


def _endpoint(value: str, stage: str) -> str:
    """Return the endpoint without a trailing slash, which would break the SDK's signature."""
    given = value if "://" in value else f"https://{value}"
    try:
        parts = urlsplit(given.rstrip("/"))
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        not host
        or not re.fullmatch(r"[a-z0-9.-]+|\[?[0-9a-f:]+\]?", host)
        or parts.scheme.lower() not in ("http", "https")
        or parts.path
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise ParameterError(
            "TOS_ENDPOINT must be the host of the TOS service, such as "
            f"https://tos-cn-beijing.volces.com, got {redact_url(value)!r}",
            stage=stage,
        )
    if host.startswith("tos-s3-"):
        raise ParameterError(
            "TOS_ENDPOINT must be the TOS endpoint, not the S3-compatible one, got "
            f"{redact_url(value)!r}; use {host.replace('tos-s3-', 'tos-', 1)}",
            stage=stage,
        )
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"
