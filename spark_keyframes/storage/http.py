"""Downloads over http:// and https://."""

import gzip
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from spark_keyframes.errors import HttpStatusError, SourceReadError, UnsupportedSchemeError
from spark_keyframes.storage import interrupt
from spark_keyframes.storage.base import redact_url, root_cause
from spark_keyframes.storage.ranged import open_remote
from spark_keyframes.storage.remote import BLOCK, Answer, Interrupted, Part

TIMEOUT = (10.0, 60.0)  # seconds: to connect, and between two pieces of the body
_LONGEST_WAIT = 30.0  # seconds: what a server's Retry-After may cost a task
_CONNECTIONS = 8  # that may be kept open for one file; more than are used
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def open_url(url: str) -> BinaryIO:
    """Open for reading, see `open_remote`; a lost connection or a cut body is tried again."""
    return open_remote(_Object(url))


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Raise: there is no common way to store over HTTP."""
    _refuse(url)


def check_writable(output_dir: str) -> None:
    """Raise: there is no common way to store over HTTP."""
    _refuse(output_dir)


def _refuse(url: str) -> NoReturn:
    raise UnsupportedSchemeError(
        f"cannot write to {redact_url(url)}: http(s) is for reading only; use tos://bucket/folder "
        "or a local folder",
        stage="upload",
    )


class _CutShortError(Exception):
    """The body ended before the length that the server had announced."""


# What another attempt may mend. The ones of requests come first: some are also ValueErrors.
_TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    _CutShortError,
)


class _Object:
    """A file behind a URL; see `Remote`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = _Session()
        interrupt.mount(self._session, _CONNECTIONS)

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        # Videos do not compress; without this the length of the body would say nothing.
        headers = {"Accept-Encoding": "identity"}
        if stop is not None:
            headers["Range"] = f"bytes={start}-{stop - 1}"
        if version:
            headers["If-Range"] = version
        with _translated(self.url):
            response = self._session.get(
                self.url, stream=True, timeout=TIMEOUT, auth=_auth(self.url), headers=headers
            )
        try:
            return self._answer(response, start, stop, version)
        except BaseException:
            response.close()
            raise

    def verify(self, whole: Iterator[bytes]) -> None:
        """HTTP has no checksum of a file."""

    def close(self) -> None:
        self._session.close()

    def _answer(
        self, response: requests.Response, start: int, stop: int | None, version: str
    ) -> Answer:
        status = response.status_code
        if status == requests.codes.too_many_requests or status >= 500:
            raise Interrupted(
                lambda attempts: _status_error(self.url, status, attempts=attempts),
                wait=_retry_after(response),
            )
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        part = None
        if status == requests.codes.partial_content and stop is not None:
            part = _part(response, start, stop)
        if part is None and stop is not None and status in (206, 416):
            # An empty file has no range. Or the server offers ranges that are none of ours.
            if version:
                raise self._changed()
            response.close()
            return self.get(0, None)
        if part is None and status != requests.codes.ok:
            raise _status_error(self.url, status, attempts=1)
        if version and (part is None or part.version != version):
            raise self._changed()
        return Answer(
            blocks=_body(self.url, response),
            close=response.close,
            part=part,
            finish=lambda file: _decode(self.url, file, encoding),
        )

    def _changed(self) -> SourceReadError:
        return SourceReadError(
            f"{redact_url(self.url)} changed while it was read; try again once its writer is done"
        )


def _part(response: requests.Response, start: int, stop: int) -> Part | None:
    """Which part the answer says that it holds; None where that cannot be the one asked for."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not match:
        return None
    first, last, total = map(int, match.groups())
    length = response.headers.get("Content-Length", "")
    if first != start or last + 1 != min(stop, total) or length not in ("", str(last + 1 - first)):
        return None
    tag = response.headers.get("ETag", "").strip()
    # A weak one, W/"…", may stay the same where bytes differ. What is compressed, though nobody
    # asked for it, has to be unpacked from its beginning.
    is_plain = response.headers.get("Content-Encoding", "").strip().lower() in ("", "identity")
    return Part(start, last + 1, total, tag if tag.startswith('"') and is_plain else "")


def _body(url: str, response: requests.Response) -> Iterator[bytes]:
    with _translated(url):
        expected = response.headers.get("Content-Length", "")
        received = 0
        while block := response.raw.read(BLOCK, decode_content=False):
            yield block
            received += len(block)
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if expected.isdigit() and not chunked and received != int(expected):
            raise _CutShortError(f"received {received} of {expected} bytes")


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the errors of requests into `Interrupted` and this package's."""
    try:
        yield
    except _TRANSIENT as error:
        reason = _reason(error)

        def give_up(attempts: int) -> SourceReadError:
            return SourceReadError(
                f"could not read {redact_url(url)} in {attempts} attempts: {reason}; "
                "check that the executors reach this host, directly or through HTTPS_PROXY"
            )

        # `from None`: the exceptions of requests carry the URL with its query.
        raise (Interrupted(give_up) if _worth_another(error) else give_up(1)) from None
    except requests.TooManyRedirects:
        raise SourceReadError(
            f"{redact_url(url)} redirects in a circle; open it in a browser and use the "
            "address that it ends at"
        ) from None
    except (requests.RequestException, ValueError) as error:
        raise SourceReadError(f"could not read {redact_url(url)}: {_reason(error)}") from None


def _worth_another(error: Exception) -> bool:
    # A certificate does not get better, nor does a proxy's address.
    return not isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidProxyURL)


def _decode(url: str, file: IO[bytes], encoding: str) -> None:
    """Undo a compression that was not asked for."""
    if encoding in ("", "identity"):
        return
    file.seek(0)
    is_gzip = file.read(2) == b"\x1f\x8b"
    if encoding in ("gzip", "x-gzip"):
        if not is_gzip:
            return  # labelled so and not compressed: a common mistake of object storages' metadata
        with tempfile.TemporaryFile() as plain:
            file.seek(0)
            try:
                with gzip.GzipFile(fileobj=file) as packed:
                    shutil.copyfileobj(packed, plain, BLOCK)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise SourceReadError(
                    f"{redact_url(url)} came gzip-compressed and broken: {error}"
                ) from None
            file.seek(0)
            file.truncate()
            plain.seek(0)
            shutil.copyfileobj(plain, file, BLOCK)
        return
    raise SourceReadError(
        f"{redact_url(url)} came with Content-Encoding {encoding!r} though none was asked for; "
        "serve the video uncompressed"
    )


def _status_error(url: str, status: int, *, attempts: int) -> HttpStatusError:
    advice = {
        401: "; it needs a login: use a signed URL",
        403: "; access was refused: a signed URL may have expired",
        404: "; there is no such file: check the address",
        410: "; the file was removed for good",
        429: "; it asks for fewer requests: run fewer tasks at once",
    }.get(status, "")
    tries = f" in {attempts} attempts" if attempts > 1 else ""
    return HttpStatusError(
        f"HTTP status {status} for {redact_url(url)}{tries}{advice}", status=status
    )


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_WAIT) if value.isdigit() else 0.0


def _reason(error: BaseException) -> str:
    """Say why without str() of requests' errors, which holds the URL with its query."""
    if isinstance(error, _CutShortError):
        return f"the body was cut short, {error}"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it redirects to a scheme other than http and https, which is not followed"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's TLS certificate could not be verified"
    return root_cause(error)


class _NoNetrc(AuthBase):
    """Adds nothing; with it in place requests leaves ~/.netrc alone."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


def _auth(url: str) -> AuthBase:
    parts = urlsplit(url)
    if parts.username is None:
        return _NoNetrc()
    return HTTPBasicAuth(unquote(parts.username), unquote(parts.password or ""))


class _Session(requests.Session):
    """A session that takes proxies from the environment, but never passwords from ~/.netrc."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # requests' own version looks the redirect's host up in ~/.netrc.
        headers, url = prepared_request.headers, prepared_request.url
        strip = self.should_strip_auth(response.request.url, url)  # type: ignore[no-untyped-call]
        if "Authorization" in headers and strip:
            del headers["Authorization"]
