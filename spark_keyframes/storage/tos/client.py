"""The client of the official TOS SDK, one per process, and the translation of its errors.

The SDK's own retries, observed in version 2.9.3:

- It retries connection errors and the statuses 408, 429 and 5xx, after 0.1, 0.2, 0.4, … s without
  jitter. It has no deadline.
- For 429 and 503 it waits as long as `Retry-After` says, without a limit, also after later attempts
  without an answer. It does not understand dates there.
- A timeout applies to one wait for the network. `request_timeout` is ignored.
- An error whose body is not UTF-8 is raised without a retry.

So the SDK retries only for about a second. Longer failures are raised as TransientError.
"""

import functools
import importlib.util
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from spark_keyframes.error_chain import error_chain, root_cause
from spark_keyframes.errors import (
    BucketNotFoundError,
    CredentialsError,
    KeyframesError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.meter import seconds_left
from spark_keyframes.storage.http.connections import mount
from spark_keyframes.storage.retry import TransientError, retry_after
from spark_keyframes.storage.tos.environment import TosSettings, read_settings

T = TypeVar("T")

# Seconds to connect: enough for two lost packets, which are sent again after 1 and 3 s.
CONNECT_TIMEOUT = 5.0
# Seconds without any data. A healthy server begins its answer within a fraction of a second.
SOCKET_TIMEOUT = 20.0
_SDK_RETRIES = 2
_SDK_WAIT = 2.0  # seconds: the longest wait between the SDK's attempts

_CONNECTIONS = 32  # kept open, for all objects


def call(request: Callable[[], T | None], url: str, settings: TosSettings, *, stage: str) -> T:
    """Send one request through the SDK, and return its result.

    Raises:
        TransientError: status 408, 429 or 5xx, data damaged in transit, or no answer from TOS.
        KeyframesError: any other error status.
    """
    import tos

    kind, action = _kind_and_action(stage)
    try:
        result = request()
    except tos.exceptions.TosServerError as error:
        refused = functools.partial(refusal, error, url, settings, stage=stage)
        status = error.status_code
        if status in (408, 429) or status >= 500 or _code(error) == "BadDigest":
            wait = retry_after(error.header)
            raise TransientError(lambda attempts: refused(attempts=attempts), wait=wait) from None
        raise refused() from None
    except Exception as error:  # noqa: BLE001 - the SDK raises any error of parsing an answer
        reason = _reason(error)
        raise TransientError(
            lambda attempts: kind(
                f"could not {action} {redact_url(url)}{_in(attempts)}: {reason}; check that the "
                f"executors reach {settings.endpoint} (TOS_ENDPOINT)"
            )
        ) from None
    if result is None:
        # With some settings the SDK returns None in place of its exceptions.
        raise kind(f"could not {action} {redact_url(url)}: the TOS SDK gave no result")
    return result


def _reason(error: Exception) -> str:
    import tos

    if isinstance(error, tos.exceptions.TosClientError) and error.cause is None:
        return str(error.message)  # for example of a wrong checksum; it holds no URL
    return root_cause(error)


def _in(attempts: int) -> str:
    return f" in {attempts} attempts" if attempts > 1 else ""


def refusal(
    error: Any, url: str, settings: TosSettings, *, stage: str, attempts: int = 1
) -> KeyframesError:
    """Return the error to raise for an error status of TOS."""
    # Without the server's message, which may repeat the access key or the signed text.
    ec = error.ec or error.header.get("x-tos-ec")
    code = _code(error)
    details = (
        f"{redact_url(url)}{_in(attempts)}: status {error.status_code}, code "
        f"{code or 'none'}{f', EC {ec}' if ec else ''}, request id "
        f"{error.request_id or 'none'}"
    )
    kind, action = _kind_and_action(stage)
    if error.status_code == 412:
        return kind(f"the object changed while it was read, {details}; try again")
    if code == "InvalidObjectState":
        return kind(f"TOS keeps this object in an archive, {details}; restore it first")
    if error.status_code in (401, 403) or _is_unauthenticated(error):
        advice = _advice(code, settings)
        stage = "open" if stage == "open" else "upload"
        return CredentialsError(f"TOS refused to {action} {details}; {advice}", stage=stage)
    if error.status_code == 404:
        what = "bucket" if code == "NoSuchBucket" else "object"
        advice = f"check the {what}'s name, and that it is in region {settings.region}"
        missing: type[KeyframesError] = StorageWriteError
        if stage == "open":
            missing = SourceNotFoundError
        elif what == "bucket":
            missing = BucketNotFoundError
        return missing(f"TOS has no such {what}, {details}; {advice}")
    advice = "; check TOS_ENDPOINT and TOS_REGION" if error.status_code < 400 else ""
    return kind(f"TOS could not {action} {details}{advice}")


def _code(error: Any) -> str:
    """Return the error code, or "" if the server's JSON has no text there."""
    return error.code if isinstance(error.code, str) else ""


def _kind_and_action(stage: str) -> tuple[type[KeyframesError], str]:
    if stage == "open":
        return SourceReadError, "read"
    return StorageWriteError, "remove" if stage == "remove" else "store"


def _is_unauthenticated(error: Any) -> bool:
    """Return whether TOS rejects the credentials, so that every other request fails too."""
    words = ("AccessKey", "Signature", "Token", "Authorization", "Credential", "TimeTooSkewed")
    return error.status_code in (400, 401, 403) and any(word in _code(error) for word in words)


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
        return f"the owner of {access_key} has no permission for it"
    if code == "InvalidAccessKeyId":
        also = "" if settings.security_token else "; a temporary key needs TOS_SECURITY_TOKEN too"
        return f"the key is unknown: check {access_key} {where}{also}"
    if "Token" in code:
        kind = (
            "is expired or wrong: set new temporary keys with their token, or permanent keys alone"
            if settings.security_token
            else "is not set: temporary keys need their token"
        )
        return f"TOS_SECURITY_TOKEN {kind}; check {', '.join(names)} {where}"
    return f"check {', '.join(names)} {where}"


_lock = threading.Lock()
_built: tuple[TosSettings, Any] | None = None


def _reset() -> None:
    """Reset a forked child, where the lock may be held by a thread that does not exist."""
    global _lock, _built
    _lock, _built = threading.Lock(), None


os.register_at_fork(after_in_child=_reset)


def client_for(stage: str) -> tuple[Any, TosSettings]:
    """Return this process's client and settings; a change of the environment takes effect."""
    global _built  # noqa: PLW0603
    settings = read_settings(stage=stage)
    with _lock:
        if _built is None or _built[0] != settings:
            _built = settings, build_client(settings)
        return _built[1], settings


def build_client(
    settings: TosSettings, *, retries: int = _SDK_RETRIES, timeout: float | None = None
) -> Any:
    """Return a new client; `timeout` replaces both timeouts."""
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
        # The cache would patch urllib3 in the whole process and start a thread.
        dns_cache_time=0,
        # With 0, documented as "no log", the SDK hides every exception.
        high_latency_log_threshold=1,
    )
    # Without an auth object requests looks up the host in ~/.netrc, and the password found there
    # replaces the signature.
    client.session.auth = _keep_signature
    mount(client.session, _CONNECTIONS)
    own_wait = client._get_sleep_time
    client._get_sleep_time = lambda *about: min(own_wait(*about), _SDK_WAIT, seconds_left())
    _hide_secrets.values |= {settings.secret_key, settings.security_token} - {""}
    tos.log.get_logger().addFilter(_hide_secrets)
    return client


class _SecretsFilter(logging.Filter):
    """Keeps secrets out of the SDK's log, whose level the user sets."""

    def __init__(self) -> None:
        super().__init__()
        self.values: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop debug records, which hold signatures; remove the secrets from the others.

        A server's message, which the SDK logs as information, may repeat what was signed.
        """
        text = record.getMessage()
        for value in self.values:
            text = text.replace(value, "***")
        record.msg, record.args = text, ()
        return record.levelno > logging.DEBUG


_hide_secrets = _SecretsFilter()


def _keep_signature(request: T) -> T:
    return request


@functools.cache
def _fast_checksum() -> bool:
    """Return whether the SDK's checksum is compiled.

    Without a C compiler at its installation, crcmod is in Python and many times slower. Lengths
    are compared in any case, and uploads carry an MD5.
    """
    return importlib.util.find_spec("crcmod._crcfunext") is not None
