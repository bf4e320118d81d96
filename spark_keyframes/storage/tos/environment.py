"""Where TOS is and with which keys: read from environment variables, and nowhere else.

| variable | meaning |
|---|---|
| `TOS_ACCESS_KEY`, `TOS_SECRET_KEY` | the keys, under the names of the TOS SDK |
| `ACCESS_KEY`, `SECRET_KEY` | the keys, under the names of the documented operator |
| `TOS_SECURITY_TOKEN` | only with temporary keys: the token that came with them |
| `TOS_ENDPOINT` | such as `https://tos-cn-beijing.volces.com`; without it, made from the region |
| `TOS_REGION` | such as `cn-beijing`; without it, read from the endpoint's name |

The keys are taken as a pair, never one of each: the SDK's names first, since they can mean nothing
but TOS; then the operator's. A pair that is not complete is passed over for one that is.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from spark_keyframes.errors import CredentialsError, ParameterError

# A name and its region; `ivolces.com` is the network inside the cloud. `tos-accelerate.volces.com`
# names no region.
_PUBLIC_HOST = re.compile(r"tos-([a-z]{2}-[a-z0-9-]+)\.(?:i?volces|bytepluses)\.com")
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PAIRS = (("TOS_ACCESS_KEY", "TOS_SECRET_KEY"), ("ACCESS_KEY", "SECRET_KEY"))


@dataclass(frozen=True)
class TosSettings:
    """What a TOS client is built from; its repr shows no keys."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str = field(repr=False)
    """Empty for permanent keys."""
    endpoint: str
    """Scheme and host, without a slash at the end."""
    region: str
    key_names: tuple[str, str]
    """The variables that the keys came from, for messages."""


def read_settings(environment: Mapping[str, str] = os.environ, *, stage: str) -> TosSettings:
    """Read the settings.

    Args:
        environment: where from.
        stage: the stage of the job, for errors: "open", "upload" or "parameters".

    Raises:
        CredentialsError: keys, or both endpoint and region, are missing; names the variables.
        ParameterError: the endpoint or the region cannot be one.
    """

    def value(name: str) -> str:
        # Keys that come from files often end in a newline, which would break the signature.
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
            f"TOS_REGION must be a region's name, such as cn-beijing, got {region!r}", stage=stage
        )
    endpoint = _endpoint(endpoint or f"tos-{region}.volces.com", stage)
    if not region:
        match = _PUBLIC_HOST.fullmatch(urlsplit(endpoint).hostname or "")
        if not match:
            raise CredentialsError(
                f"{complaint('TOS_REGION')}, and TOS_ENDPOINT {endpoint} does not tell the region; "
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


def _endpoint(value: str, stage: str) -> str:
    """Return the endpoint as the SDK needs it: a slash at its end would break the signature."""
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
        shown = re.sub(r"//.*@", "//***@", value)
        raise ParameterError(
            "TOS_ENDPOINT must be the host of the TOS service, such as "
            f"https://tos-cn-beijing.volces.com, got {shown!r}",
            stage=stage,
        )
    if host.startswith("tos-s3-"):
        raise ParameterError(
            f"TOS_ENDPOINT must be the TOS endpoint, not the S3-compatible one, got {value!r}; "
            f"use {host.replace('tos-s3-', 'tos-', 1)}",
            stage=stage,
        )
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"
