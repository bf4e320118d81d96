"""Opens http:// and https:// URLs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from spark_keyframes.error_chain import root_cause
from spark_keyframes.errors import (
    AccessError,
    HttpStatusError,
    SourceReadError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download.ranged import open_remote
from spark_keyframes.storage.download.remote import BLOCK, Answer, Part, requested_part
from spark_keyframes.storage.http.compression import decompress
from spark_keyframes.storage.http.connections import mount
from spark_keyframes.storage.retry import TransientError, retry_after
from spark_keyframes.urls import check_length

TIMEOUT = (10.0, 60.0)  # seconds to connect, and to wait for more of the body
_CONNECTIONS = 8  # kept open for one file; more than are used
_SIZE = re.compile(r"[0-9]{1,19}")  # at most 19 digits: int() raises for very long numbers


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Open for reading, see `open_remote`; lost connections and incomplete bodies are retried."""
    return open_remote(HttpFile(url, access), limits, whole=whole)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Raise UnsupportedSchemeError: HTTP has no standard way to store files."""
    _refuse(url)


def remove_url(url: str) -> None:
    """Raise UnsupportedSchemeError: HTTP has no standard way to store files."""
    _refuse(url)


def check_writable(output_dir: str) -> None:
    """Raise UnsupportedSchemeError: HTTP has no standard way to store files."""
    _refuse(output_dir)


def check_accepted(output_dir: str, check_url: str) -> None:
    """Raise UnsupportedSchemeError: HTTP has no standard way to store files."""
    _refuse(output_dir)


def _refuse(url: str) -> NoReturn:
    raise UnsupportedSchemeError(
        f"cannot write to {redact_url(url)}: http(s) is read-only; use tos://bucket/folder "
        "or a local folder",
        stage="upload",
    )


# Another attempt may succeed. Catch these before ValueError, which some of them are too.
_TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
)


class HttpFile:
    """A file on a web server; see `RemoteFile`."""

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self._session = _Session()
        mount(self._session, _CONNECTIONS, access)

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request a range or the whole file."""
        # Videos do not compress, and the announced length of a compressed body is not the file's.
        headers = {"Accept-Encoding": "identity"}
        if stop is not None:
            headers["Range"] = f"bytes={start}-{stop - 1}"
        if version:
            headers["If-Range"] = version
        with _translate_errors(self.url):
            response = self._session.get(
                self.url, stream=True, timeout=TIMEOUT, auth=_auth(self.url), headers=headers
            )
        try:
            return self._answer(response, start, stop, version)
        except BaseException:
            response.close()
            raise

    def verify(self, content: Iterator[bytes]) -> None:
        """Do nothing: HTTP has no checksum of a file."""

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _answer(
        self, response: requests.Response, start: int, stop: int | None, version: str
    ) -> Answer:
        status = response.status_code
        if status == requests.codes.too_many_requests or status >= 500:
            raise TransientError(
                lambda attempts: _status_error(self.url, status, attempts=attempts),
                wait=retry_after(response.headers),
            )
        part = None
        if status == requests.codes.partial_content and stop is not None:
            part = _part(response, start, stop)
        if part is None and stop is not None and status in (206, 416):
            # An empty file has no ranges. Or the server answered with another range.
            if version:
                raise self._changed()
            response.close()
            return self.get(0, None)
        if part is None and status != requests.codes.ok:
            raise _status_error(self.url, status, attempts=1)
        if version and (part is None or part.version != version):
            raise self._changed()
        encoding = _encoding(response)
        return Answer(
            blocks=_blocks(self.url, response),
            close=response.close,
            part=part,
            length=_length(response),
            decompress=partial(decompress, encoding=encoding, url=self.url) if encoding else None,
        )

    def _changed(self) -> SourceReadError:
        return SourceReadError(
            f"{redact_url(self.url)} changed while it was read; try again when it is complete"
        )


def _part(response: requests.Response, start: int, stop: int) -> Part | None:
    """Return the part that the answer holds, or None if it is not the requested one."""
    tag = response.headers.get("ETag", "").strip()
    # A weak tag, W/"…", may stay the same when bytes change. A compressed body can be decompressed
    # only from its start.
    is_reliable = tag.startswith('"') and not _encoding(response)
    return requested_part(
        response.headers.get("Content-Range", ""),
        _length(response),
        start,
        stop,
        version=tag if is_reliable else "",
    )


def _encoding(response: requests.Response) -> str:
    """Return the compression of the body, or "" for none."""
    value = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if value == "identity" else value


def _length(response: requests.Response) -> int | None:
    """Return the announced bytes of the body, as transmitted, or None."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    value = response.headers.get("Content-Length", "").strip()
    return int(value) if _SIZE.fullmatch(value) else None


def _blocks(url: str, response: requests.Response) -> Iterator[bytes]:
    with _translate_errors(url):
        while block := response.raw.read(BLOCK, decode_content=False):
            yield block


@contextmanager
def _translate_errors(url: str) -> Iterator[None]:
    """Turn the errors of requests into TransientError or this package's errors."""
    try:
        yield
    except AccessError as error:
        # The error names the target of the redirect; add the URL as it was given.
        raise AccessError(f"{redact_url(url)} is not read: {error}") from None
    except _TRANSIENT as error:
        reason = _reason(error)

        def give_up(attempts: int) -> SourceReadError:
            return SourceReadError(
                f"could not read {redact_url(url)} in {attempts} attempts: {reason}; "
                "check that the executors reach this host, directly or through HTTPS_PROXY"
            )

        # `from None`: the exceptions of requests carry the URL with its query.
        raise (TransientError(give_up) if _is_transient(error) else give_up(1)) from None
    except requests.TooManyRedirects:
        raise SourceReadError(
            f"{redact_url(url)} redirects in a circle; open it in a browser and use the "
            "final address"
        ) from None
    except (requests.RequestException, ValueError) as error:
        raise SourceReadError(f"could not read {redact_url(url)}: {_reason(error)}") from None


def _is_transient(error: Exception) -> bool:
    # Another attempt meets the same certificate and the same proxy address.
    return not isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidProxyURL)


def _status_error(url: str, status: int, *, attempts: int) -> HttpStatusError:
    advice = {
        401: "; it needs a login: use a signed URL",
        403: "; access was refused: a signed URL may have expired",
        404: "; there is no such file: check the address",
        410: "; the file was removed permanently",
        429: "; it asks for fewer requests: run fewer tasks at once",
    }.get(status, "")
    tries = f" in {attempts} attempts" if attempts > 1 else ""
    return HttpStatusError(
        f"HTTP status {status} for {redact_url(url)}{tries}{advice}", status=status
    )


def _reason(error: BaseException) -> str:
    """Return the reason, without str() of requests' errors, which holds the URL with its query."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it redirects to a scheme other than http and https, which is not followed"
    if isinstance(error, requests.exceptions.InvalidURL):
        return "it is not a valid URL; check its host"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's TLS certificate could not be verified"
    return root_cause(error)


class _NoNetrc(AuthBase):
    """Adds nothing. Without an auth object requests reads ~/.netrc."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


def _auth(url: str) -> AuthBase:
    parts = urlsplit(url)
    if parts.username is None:
        return _NoNetrc()
    return HTTPBasicAuth(unquote(parts.username), unquote(parts.password or ""))


class _Session(requests.Session):
    """A session that reads proxies from the environment, but never passwords from ~/.netrc."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the target of a redirect, or None; what is too long is not parsed."""
        target = super().get_redirect_target(resp)
        check_length(target or "")
        return target

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # The method of requests looks up the redirect's host in ~/.netrc.
        headers, url = prepared_request.headers, prepared_request.url
        strip = self.should_strip_auth(response.request.url, url)  # type: ignore[no-untyped-call]
        if "Authorization" in headers and strip:
            del headers["Authorization"]
