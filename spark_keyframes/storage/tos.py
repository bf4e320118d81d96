"""Objects in Volcano Engine TOS, `tos://bucket/key`, through its official SDK.

A key is everything after the bucket, taken as it is: no percent-decoding, no query. The settings
come from the environment, see `tos_environment`; they are read anew for every object, in the
process that needs them, so they never travel in a plan.
"""

import functools
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import interrupt
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.base import redact_url, root_cause
from spark_keyframes.storage.ranged import open_remote
from spark_keyframes.storage.remote import BLOCK, Answer, Interrupted, Part
from spark_keyframes.storage.tos_environment import TosSettings, read_settings

T = TypeVar("T")

_CONNECTIONS = 32  # that may be kept open, for all objects
_BUCKET = "abcdefghijklmnopqrstuvwxyz0123456789-"


def open_url(url: str, *, access: Access, limits: Limits) -> BinaryIO:
    """Open for reading, see `open_remote`; a body cut short is tried again."""
    bucket, key = _bucket_and_key(url, SourceReadError)
    return open_remote(_Object(url, bucket, key), limits)


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


class _Object:
    """An object in a bucket; see `Remote`."""

    def __init__(self, url: str, bucket: str, key: str) -> None:
        self.url = url
        self._bucket, self._key = bucket, key
        self._client, self._settings = _client("open")
        self._checksum: int | None = None
        """Of the whole object, where TOS gives one and it can be computed here."""
        self._pieces: dict[int, tuple[int, int]] = {}
        """Of all that came, by its start: length and checksum."""

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        import tos

        def request() -> Any:
            span = {} if stop is None else {"range_start": start, "range_end": stop - 1}
            try:
                return self._client.get_object(
                    self._bucket, self._key, if_match=version or None, **span
                )
            except tos.exceptions.TosServerError as error:
                if error.status_code == 416 and not version:  # an empty object has no range
                    return self._client.get_object(self._bucket, self._key)
                raise

        found = _call(request, self.url, self._settings, stage="open")
        part = None
        if found.content_range is not None and stop is not None:
            total = int(found.content_range.rpartition("/")[2])
            part = Part(start, min(stop, total), total, found.etag or "")
        if self._checksum is None and found.enable_crc:
            self._checksum = found.hash_crc64_ecma
        return Answer(
            self._body(found, part), lambda: _close(found), part, length=found.content_length
        )

    def verify(self, whole: Iterator[bytes]) -> None:
        import tos

        if self._checksum is None:
            return
        checksum = tos.utils.Crc64()
        found = end = 0
        for start, (length, piece) in sorted(self._pieces.items()):
            if start != end:
                # A piece came twice, after a connection was given up in the middle of it.
                for block in whole:
                    checksum.update(block)
                found = checksum.crc
                break
            found = checksum.combine(found, piece, length)
            end += length
        if found != self._checksum:
            raise SourceReadError(
                f"the parts of {redact_url(self.url)} do not add up to its checksum: damaged on "
                "the way, or where they are kept; try again"
            )

    def close(self) -> None:
        """The connections are the client's, and serve other objects."""

    def _body(self, found: Any, part: Part | None) -> Iterator[bytes]:
        import requests
        import tos
        import urllib3

        received = 0
        try:
            # In blocks: a single read() would not compare the checksum, the empty one at the end
            # does. The SDK tries requests again, but not bodies.
            while block := found.read(BLOCK):
                received += len(block)
                if part is not None:
                    self._pieces[part.start] = received, found.client_crc
                yield block
            if found.content_length not in (None, received):
                raise self._broken(f"received {received} of {found.content_length} bytes")
            is_whole = part is not None and (part.start, part.stop) == (0, part.total)
            # The SDK compares it only where no range was asked for.
            if is_whole and self._checksum not in (None, found.client_crc):
                raise self._broken("the checksum differs")
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            tos.exceptions.TosClientError,
        ) as error:
            raise self._broken(f"{root_cause(error)} after {received} bytes") from None

    def _broken(self, reason: str) -> Interrupted:
        return Interrupted(
            lambda attempts: SourceReadError(
                f"could not read {redact_url(self.url)} whole in {attempts} attempts: {reason}; "
                f"check the network between the executors and {self._settings.endpoint}"
            )
        )


def _close(found: Any) -> None:
    # The SDK has no way to let go of a body that was not read to its end.
    content = getattr(found.content, "data", found.content)
    content.resp.close()


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
    if error.status_code == 412:
        return failed(f"the object changed while it was read, {details}; try again")
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
        max_connections=_CONNECTIONS,
        # Its cache patches urllib3 for the whole process and starts a thread, for nothing.
        dns_cache_time=0,
        # With 0, which should mean "no log", the SDK swallows every exception.
        high_latency_log_threshold=1,
    )
    # Without an auth of its own requests looks the host up in ~/.netrc, and what it finds there
    # replaces the signature.
    client.session.auth = _keep_signature
    interrupt.mount(client.session, _CONNECTIONS)
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
