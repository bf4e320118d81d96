"""The client of the official TOS SDK, one for each process, and what its errors mean here.

How version 2.9.3 of the SDK tries again by itself, as seen: every error of the connection, and the
statuses 408, 429 and 5xx, after 0.1, 0.2, 0.4, … s without jitter. Of 429 and 503 it obeys
`Retry-After` in seconds, however many, and goes on obeying it where a later attempt got no answer;
as a date it is not understood. It has no deadline. A timeout is that of one wait for the network;
`request_timeout` is ignored. An error whose body is not UTF-8 escapes without another attempt. So
the SDK is left what passes within a second; longer trouble is the callers', as `Interrupted`.
"""

import functools
import importlib.util
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    error_chain,
    root_cause,
)
from spark_keyframes.storage.download.remote import Interrupted, retry_after
from spark_keyframes.storage.http.connections import mount
from spark_keyframes.storage.tos.environment import TosSettings, read_settings
from spark_keyframes.urls import redact_url

T = TypeVar("T")

# Seconds. To connect, a lost packet may be sent again twice, after 1 and 3 s. An answer begins
# within a fraction of a second, or else the server is in trouble; and nothing may move for so long.
CONNECT_TIMEOUT = 5.0
SOCKET_TIMEOUT = 20.0
_SDK_RETRIES = 2
_SDK_WAIT = 2.0  # seconds: the longest of its waits

_CONNECTIONS = 32  # that may be kept open, for all objects


def call(request: Callable[[], T | None], url: str, settings: TosSettings, *, stage: str) -> T:
    """Make one request of the SDK and turn what goes wrong into this package's errors.

    Raises `Interrupted` for what may pass: a status of 408, 429 or 5xx, data that were damaged on
    the way, and whatever is no answer of TOS. Any other refusal is final.
    """
    import tos

    failed = SourceReadError if stage == "open" else StorageWriteError
    doing = "read" if stage == "open" else "store"
    try:
        result = request()
    except tos.exceptions.TosServerError as error:
        refused = functools.partial(refusal, error, url, settings, stage=stage)
        status = error.status_code
        if status in (408, 429) or status >= 500 or error.code == "BadDigest":
            wait = retry_after(error.header)
            raise Interrupted(lambda attempts: refused(attempts=attempts), wait=wait) from None
        raise refused() from None
    except Exception as error:  # noqa: BLE001 - the SDK lets through whatever parsing an answer raises
        reason = _reason(error)
        raise Interrupted(
            lambda attempts: failed(
                f"could not {doing} {redact_url(url)}{_in(attempts)}: {reason}; check that the "
                f"executors reach {settings.endpoint} (TOS_ENDPOINT)"
            )
        ) from None
    if result is None:
        # Some settings make the SDK swallow its own exceptions and return nothing.
        raise failed(f"could not {doing} {redact_url(url)}: the TOS SDK gave no result")
    return result


def _reason(error: Exception) -> str:
    import tos

    if isinstance(error, tos.exceptions.TosClientError) and error.cause is None:
        return str(error.message)  # such as that of a checksum; it holds no URL
    return root_cause(error)


def _in(attempts: int) -> str:
    return f" in {attempts} attempts" if attempts > 1 else ""


def refusal(
    error: Any, url: str, settings: TosSettings, *, stage: str, attempts: int = 1
) -> KeyframesError:
    """Return what to raise for an answer of TOS that is an error."""
    # Not the server's message: it may repeat the access key or what was signed.
    ec = error.ec or error.header.get("x-tos-ec")
    details = (
        f"{redact_url(url)}{_in(attempts)}: status {error.status_code}, code "
        f"{error.code or 'none'}{f', EC {ec}' if ec else ''}, request id "
        f"{error.request_id or 'none'}"
    )
    failed = SourceReadError if stage == "open" else StorageWriteError
    doing = "read" if stage == "open" else "store"
    if error.status_code == 412:
        return failed(f"the object changed while it was read, {details}; try again")
    if error.code == "InvalidObjectState":
        return failed(f"TOS keeps this object in an archive, {details}; restore it first")
    if error.status_code in (401, 403) or is_unauthenticated(error):
        advice = _advice(error.code, settings)
        return CredentialsError(f"TOS refused to {doing} {details}; {advice}", stage=stage)
    if error.status_code == 404:
        what = "bucket" if error.code == "NoSuchBucket" else "object"
        advice = f"check the {what}'s name, and that it is in region {settings.region}"
        kind = SourceNotFoundError if stage == "open" else StorageWriteError
        return kind(f"TOS has no such {what}, {details}; {advice}")
    advice = "; check TOS_ENDPOINT and TOS_REGION" if error.status_code < 400 else ""
    return failed(f"TOS could not {doing} {details}{advice}")


def is_unauthenticated(error: Any) -> bool:
    """Whether TOS does not know who asks, so that no other request will fare better."""
    words = ("AccessKey", "Signature", "Token", "Authorization", "Credential", "TimeTooSkewed")
    return error.status_code in (400, 401, 403) and any(word in error.code for word in words)


def is_wrong_address(error: BaseException) -> bool:
    """Return whether the endpoint's host does not exist, or has the certificate of another host."""
    for current in error_chain(error):
        if isinstance(current, ssl.SSLCertVerificationError):
            return True
        if isinstance(current, socket.gaierror):
            return current.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
    return False


def _advice(code: str, settings: TosSettings) -> str:
    access_key, secret_key = settings.key_names
    names = [access_key, secret_key, "TOS_REGION"]
    if settings.security_token or "Token" in code:
        names.append("TOS_SECURITY_TOKEN")
    where = "in the environment of the executors"
    if code == "RequestTimeTooSkewed":
        return "set this machine's clock"
    if code == "AccessDenied":
        return f"the owner of {access_key} lacks the permission for it"
    if code == "InvalidAccessKeyId":
        also = "" if settings.security_token else "; a temporary key needs TOS_SECURITY_TOKEN too"
        return f"no such key: check {access_key} {where}{also}"
    if "Token" in code:
        kind = (
            "is expired or wrong: set new temporary keys with theirs, or none for permanent keys"
            if settings.security_token
            else "is not set: temporary keys need the one that came with them"
        )
        return f"TOS_SECURITY_TOKEN {kind}; check {', '.join(names)} {where}"
    return f"check {', '.join(names)} {where}"


_lock = threading.Lock()
_built: tuple[TosSettings, Any] | None = None


def _forget() -> None:
    """Start afresh in a forked child: the lock may be held by a thread that is not there."""
    global _lock, _built
    _lock, _built = threading.Lock(), None


os.register_at_fork(after_in_child=_forget)


def client_for(stage: str) -> tuple[Any, TosSettings]:
    """Return this process's client, built anew when the settings in the environment change."""
    global _built  # noqa: PLW0603
    settings = read_settings(stage=stage)
    with _lock:
        if _built is None or _built[0] != settings:
            _built = settings, build(settings)
        return _built[1], settings


def build(
    settings: TosSettings, *, retries: int = _SDK_RETRIES, timeout: float | None = None
) -> Any:
    """Return a new client; `timeout` takes the place of both timeouts."""
    import tos

    client = tos.TosClientV2(
        ak=settings.access_key,
        sk=settings.secret_key,
        security_token=settings.security_token or None,
        endpoint=settings.endpoint,
        region=settings.region,
        enable_crc=_fast_checksum(),
        connection_time=timeout or CONNECT_TIMEOUT,
        socket_timeout=timeout or SOCKET_TIMEOUT,
        max_retry_count=retries,
        max_connections=_CONNECTIONS,
        # Its cache patches urllib3 for the whole process and starts a thread, for nothing.
        dns_cache_time=0,
        # With 0, which should mean "no log", the SDK swallows every exception.
        high_latency_log_threshold=1,
    )
    # Without an auth of its own requests looks the host up in ~/.netrc, and what it finds there
    # replaces the signature.
    client.session.auth = _keep_signature
    mount(client.session, _CONNECTIONS)
    own_wait = client._get_sleep_time
    client._get_sleep_time = lambda *about: min(own_wait(*about), _SDK_WAIT)
    return client


def _keep_signature(request: T) -> T:
    return request


@functools.cache
def _fast_checksum() -> bool:
    """Tell whether the SDK's checksum is compiled.

    crcmod falls back to Python, many times slower, where it was installed without a C compiler.
    Lengths are compared in any case, and what is stored has its MD5.
    """
    return importlib.util.find_spec("crcmod._crcfunext") is not None
