"""Downloads over http:// and https://."""

import gzip
import shutil
import tempfile
import time
import zlib
from typing import IO, BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from spark_keyframes.errors import HttpStatusError, SourceReadError, UnsupportedSchemeError
from spark_keyframes.storage.base import ATTEMPTS, backoff, download, redact_url, root_cause

TIMEOUT = (10.0, 60.0)  # seconds: to connect, and between two pieces of the body
_LONGEST_WAIT = 30.0  # seconds: what a server's Retry-After may cost a task
_BLOCK = 1 << 20


def open_url(url: str) -> BinaryIO:
    """Download the whole file; a lost connection or a cut body is tried again."""
    return download(url, lambda file: _fetch(url, file))


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


class _RetryStatusError(Exception):
    def __init__(self, status: int, wait: float) -> None:
        super().__init__(f"status {status}")
        self.status, self.wait = status, wait


# What another attempt may mend. The ones of requests come first: some are also ValueErrors.
_TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    _CutShortError,
    _RetryStatusError,
)


def _fetch(url: str, file: IO[bytes]) -> None:
    for attempt in range(ATTEMPTS):
        file.seek(0)
        file.truncate()
        try:
            _fetch_once(url, file)
        except _TRANSIENT as error:
            if attempt + 1 < ATTEMPTS and _worth_another(error):
                wait = error.wait if isinstance(error, _RetryStatusError) else 0.0
                time.sleep(max(wait, backoff(attempt)))
                continue
            if isinstance(error, _RetryStatusError):
                raise _status_error(url, error.status, attempts=attempt + 1) from None
            # `from None`: the exceptions of requests carry the URL with its query.
            raise SourceReadError(
                f"could not read {redact_url(url)} in {attempt + 1} attempts: {_reason(error)}; "
                "check that the executors reach this host, directly or through HTTPS_PROXY"
            ) from None
        except requests.TooManyRedirects:
            raise SourceReadError(
                f"{redact_url(url)} redirects in a circle; open it in a browser and use the "
                "address that it ends at"
            ) from None
        except (requests.RequestException, ValueError) as error:
            raise SourceReadError(f"could not read {redact_url(url)}: {_reason(error)}") from None
        else:
            return


def _worth_another(error: Exception) -> bool:
    # A certificate does not get better, nor does a proxy's address.
    return not isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidProxyURL)


def _fetch_once(url: str, file: IO[bytes]) -> None:
    with (
        _Session() as session,
        session.get(
            url,
            stream=True,
            timeout=TIMEOUT,
            auth=_auth(url),
            # Videos do not compress; without this the length of the body would say nothing.
            headers={"Accept-Encoding": "identity"},
        ) as response,
    ):
        status = response.status_code
        if status == requests.codes.too_many_requests or status >= 500:
            raise _RetryStatusError(status, _retry_after(response))
        if status != requests.codes.ok:
            raise _status_error(url, status, attempts=1)
        expected = response.headers.get("Content-Length", "")
        received = 0
        while block := response.raw.read(_BLOCK, decode_content=False):
            file.write(block)
            received += len(block)
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if expected.isdigit() and not chunked and received != int(expected):
            raise _CutShortError(f"received {received} of {expected} bytes")
        _decode(url, file, response.headers.get("Content-Encoding", ""))


def _decode(url: str, file: IO[bytes], encoding: str) -> None:
    """Undo a compression that was not asked for."""
    encoding = encoding.strip().lower()
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
                    shutil.copyfileobj(packed, plain, _BLOCK)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise SourceReadError(
                    f"{redact_url(url)} came gzip-compressed and broken: {error}"
                ) from None
            file.seek(0)
            file.truncate()
            plain.seek(0)
            shutil.copyfileobj(plain, file, _BLOCK)
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
