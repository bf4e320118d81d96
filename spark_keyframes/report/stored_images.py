"""Reads stored images by their URLs, several at a time, and gives up on a storage that fails."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from spark_keyframes.errors import (
    AccessError,
    CredentialsError,
    EncodeError,
    KeyframesError,
    LimitError,
    SourceNotFoundError,
    UnsupportedSchemeError,
)
from spark_keyframes.html import thumbnail
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access, open_url
from spark_keyframes.urls import host_of, is_local, scheme_of

_AT_A_TIME = 16
_LARGEST = 256 * 2**20  # bytes of an image's file
_FAILURES = 3  # in a row, of a storage

# The other images of the storage would have the same error.
_FOR_ALL = (AccessError, CredentialsError, UnsupportedSchemeError)
# Of this image alone.
_FOR_ONE = (EncodeError, LimitError, SourceNotFoundError)


class StoredImages:
    """Reads stored images as small ones.

    After an error that all images of a bucket or server would have, or three in a row that it
    might have, the others there are not tried: each would wait for its time limit.

    Args:
        height: of the small images, in pixels.
        access: the addresses that may be read.
        limits: bounds on reading.
    """

    def __init__(self, height: int, access: Access, limits: Limits) -> None:
        self._height, self._access, self._limits = height, access, limits
        self._lock = threading.Lock()
        self._failures: Counter[tuple[str, str] | None] = Counter()
        self._gone: dict[tuple[str, str] | None, KeyframesError] = {}

    def read(self, urls: Iterable[str]) -> Iterator[tuple[str, str | KeyframesError]]:
        """Yield each URL with a data: URL of its small image, or why there is none."""
        with ThreadPoolExecutor(_AT_A_TIME, "stored image") as pool:
            yield from pool.map(lambda url: (url, self._one(url)), urls)

    def _one(self, url: str) -> str | KeyframesError:
        # A disk does not keep anyone waiting.
        place = None if is_local(url) else (scheme_of(url), host_of(url))
        with self._lock:
            if place in self._gone:
                return self._gone[place]
        try:
            # At most so many bytes: a file that is no image may be of any size.
            with closing(open_url(url, access=self._access, limits=self._limits)) as file:
                data = file.read(_LARGEST)
            found = thumbnail(data, self._height, webp=True)
        except KeyframesError as error:
            if place is not None and not isinstance(error, _FOR_ONE):
                self._failed(place, error)
            return error
        if place is not None:
            with self._lock:
                self._failures[place] = 0
        return found

    def _failed(self, place: tuple[str, str], error: KeyframesError) -> None:
        with self._lock:
            self._failures[place] += 1
            if isinstance(error, _FOR_ALL) or self._failures[place] >= _FAILURES:
                reason = KeyframesError(f"not tried, because others there failed: {error}")
                self._gone.setdefault(place, reason)
