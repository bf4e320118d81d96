"""Objects in Volcano Engine TOS, `tos://bucket/key`, through its official SDK.

A key is everything after the bucket, taken as it is: no percent-decoding, no query. The settings
come from the environment, see `tos_environment`; they are read anew for every object, in the
process that needs them, so they never travel in a plan.
"""

import functools
import importlib.util
import os
import threading
import time
from collections.abc import Callable
from typing import IO, Any, BinaryIO, TypeVar

from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.storage.base import ATTEMPTS, backoff, download, redact_url, root_cause
from spark_keyframes.storage.tos_environment import TosSettings, read_settings

T = TypeVar("T")

_BLOCK = 1 << 20
_BUCKET = "abcdefghijklmnopqrstuvwxyz0123456789-"


def open_url(url: str) -> BinaryIO:
    """Download the whole object; a body cut short is downloaded again."""
    bucket, key = _bucket_and_key(url, SourceReadError)
    return download(url, lambda file: _fetch(url, bucket, key, file))


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Upload one object; the SDK tries again by itself, and compares the checksum."""
    bucket, key = _bucket_and_key(url, StorageWriteError)
    client, settings = _client("upload")
    # As `bytes`: the SDK never tries again what it reads from a file or a generator. Never with
    # forbid_overwrite: a retried or speculative task stores the same object once more.
    _call(
        lambda: client.put_object(bucket, key, content=bytes(data), content_type=content_type),
        url,
        settings,
        stage="upload",
    )


def check_writable(output_dir: str) -> None:
    """Check the bucket's name and the environment; asks no server."""
    bucket, _ = _bucket_and_key(f"{output_dir.rstrip('/')}/frame", ParameterError)
    settings = read_settings(stage="parameters")
    if settings.endpoint.split("://")[1].startswith(f"{bucket}."):
        raise ParameterError(
            f"TOS_ENDPOINT must not hold the bucket's name, got {settings.endpoint}; remove "
            f"{bucket!r} and the dot after it"
        )


def _bucket_and_key(url: str, error: type[KeyframesError]) -> tuple[str, str]:
    bucket, _, key = url[len("tos://") :].partition("/")
    if not 3 <= len(bucket) <= 63 or bucket.strip(_BUCKET) or bucket.strip("-") != bucket:
        raise error(
            "a TOS address is tos://bucket/key, with a bucket of 3 to 63 lower-case letters, "
            f"digits and hyphens, got {redact_url(url)!r}"
        )
    # An HTTP client drops these parts from the path, and the signature no longer fits it.
    if not key or {".", ".."} & set(key.split("/")):
        raise error(
            f"a TOS key must not be empty or have a part '.' or '..', got {redact_url(url)!r}"
        )
    return bucket, key


def _fetch(url: str, bucket: str, key: str, file: IO[bytes]) -> None:
    import requests
    import tos
    import urllib3

    client, settings = _client("open")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(backoff(attempt - 1))
        file.seek(0)
        file.truncate()
        found = _call(lambda: client.get_object(bucket, key), url, settings, stage="open")
        received = 0
        try:
            # In blocks: a single read() would not compare the checksum, the empty one at the end
            # does. The SDK tries requests again, but not bodies.
            while block := found.read(_BLOCK):
                file.write(block)
                received += len(block)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            tos.exceptions.TosClientError,
        ) as error:
            reason = f"{root_cause(error)} after {received} bytes"
            continue
        if found.content_length in (None, received):
            return
        reason = f"received {received} of {found.content_length} bytes"
    raise SourceReadError(
        f"could not read {redact_url(url)} whole in {ATTEMPTS} attempts: {reason}; check the "
        f"network between the executors and {settings.endpoint}"
    )


def _call(request: Callable[[], T | None], url: str, settings: TosSettings, *, stage: str) -> T:
    """Make one request of the SDK and turn what goes wrong into this package's errors."""
    import tos

    failed = SourceReadError if stage == "open" else StorageWriteError
    doing = "read" if stage == "open" else "store"
    try:
        result = request()
    except tos.exceptions.TosServerError as error:
        raise _refusal(error, url, settings, stage=stage) from None
    except Exception as error:  # noqa: BLE001 - the SDK lets through whatever parsing an answer raises
        raise failed(
            f"could not {doing} {redact_url(url)}: {root_cause(error)}; check that the executors "
            f"reach {settings.endpoint} (TOS_ENDPOINT)"
        ) from None
    if result is None:
        # Some settings make the SDK swallow its own exceptions and return nothing.
        raise failed(f"could not {doing} {redact_url(url)}: the TOS SDK gave no result")
    return result


def _refusal(error: Any, url: str, settings: TosSettings, *, stage: str) -> KeyframesError:
    # Not the server's message: it may repeat the access key or what was signed.
    details = (
        f"{redact_url(url)}: status {error.status_code}, code {error.code or 'none'}"
        f"{f', EC {error.ec}' if error.ec else ''}, request id {error.request_id or 'none'}"
    )
    failed = SourceReadError if stage == "open" else StorageWriteError
    doing = "read" if stage == "open" else "store"
    if error.code == "InvalidObjectState":
        return failed(f"TOS keeps this object in an archive, {details}; restore it first")
    if error.status_code in (401, 403):
        names = [*settings.key_names, "TOS_REGION"]
        if settings.security_token:
            names.append("TOS_SECURITY_TOKEN")
        advice = {
            "RequestTimeTooSkewed": "set this machine's clock",
            "AccessDenied": f"the owner of {settings.key_names[0]} lacks the permission for it",
        }.get(error.code, f"check {', '.join(names)} in the environment of the executors")
        return CredentialsError(f"TOS refused to {doing} {details}; {advice}", stage=stage)
    if error.status_code == 404:
        what = "bucket" if error.code == "NoSuchBucket" else "object"
        advice = f"check the {what}'s name, and that it is in region {settings.region}"
        kind = SourceNotFoundError if stage == "open" else StorageWriteError
        return kind(f"TOS has no such {what}, {details}; {advice}")
    advice = "; check TOS_ENDPOINT and TOS_REGION" if error.status_code < 400 else ""
    return failed(f"TOS could not {doing} {details}{advice}")


_lock = threading.Lock()
_built: tuple[TosSettings, Any] | None = None


def _forget() -> None:
    """Start afresh in a forked child: the lock may be held by a thread that is not there."""
    global _lock, _built
    _lock, _built = threading.Lock(), None


os.register_at_fork(after_in_child=_forget)


def _client(stage: str) -> tuple[Any, TosSettings]:
    """Return this process's client, built anew when the settings in the environment change."""
    global _built  # noqa: PLW0603
    settings = read_settings(stage=stage)
    with _lock:
        if _built is None or _built[0] != settings:
            _built = settings, _build(settings)
        return _built[1], settings


def _build(settings: TosSettings) -> Any:
    import tos

    client = tos.TosClientV2(
        ak=settings.access_key,
        sk=settings.secret_key,
        security_token=settings.security_token or None,
        endpoint=settings.endpoint,
        region=settings.region,
        enable_crc=_fast_checksum(),
        max_retry_count=5,  # waits of 0.1, 0.2, 0.4, 0.8 and 1.6 s
        max_connections=32,
        # Its cache patches urllib3 for the whole process and starts a thread, for nothing.
        dns_cache_time=0,
        # With 0, which should mean "no log", the SDK swallows every exception.
        high_latency_log_threshold=1,
    )
    # Without an auth of its own requests looks the host up in ~/.netrc, and what it finds there
    # replaces the signature.
    client.session.auth = _keep_signature
    return client


def _keep_signature(request: T) -> T:
    return request


@functools.cache
def _fast_checksum() -> bool:
    """Tell whether the SDK's checksum is compiled.

    crcmod falls back to Python, many times slower, where it was installed without a C compiler.
    Lengths are compared in any case.
    """
    return importlib.util.find_spec("crcmod._crcfunext") is not None
