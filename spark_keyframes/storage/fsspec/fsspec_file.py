"""Reads a file through fsspec: in parts of one version, or in one stream."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from spark_keyframes.errors import KeyframesError, SourceNotFoundError, SourceReadError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.meter import Meter, current
from spark_keyframes.storage.download.remote import Answer, Part
from spark_keyframes.storage.fsspec.calls import file_system, message, start, within
from spark_keyframes.storage.retry import TransientError
from spark_keyframes.urls import scheme_of

_BLOCK = 1 << 20  # bytes of one read, which is a request in many packages

# What changes whenever a file does, by the names that the packages use. A modification time is
# enough for HDFS, whose files are written once.
_VERSIONS = ("ETag", "etag", "generation", "modificationTime")
_VERSIONS_BY_SCHEME = {"hdfs": ("mtime",), "viewfs": ("mtime",)}
# Of Arrow. Their `cat_file` reads streams from byte 0 on, and before fsspec 2026.9 ignores ranges.
_OPENED = ("hdfs", "viewfs")


class FsspecFile:
    """A file of fsspec; see `RemoteFile`.

    fsspec has no conditional reads. So the version is looked at before the first part, and after
    each part: where it is the same, all bytes between are of this version.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request a range, where the storage tells versions apart, or the whole file."""
        meter = current()
        assert meter is not None  # noqa: S101 - each request has one
        # This thread's own instance: not all packages allow several threads.
        filesystem, path = self._translated(partial(file_system, self.url))
        size, found = self._look(filesystem, path, meter)
        self._check(version, found)
        if stop is None or not found or not size:
            return Answer(self._stream(filesystem, path, meter), lambda: None, None, size)
        part = Part(start, min(stop, size), size, found)
        return Answer(self._pieces(filesystem, path, part, meter), lambda: None, part)

    def verify(self, content: Iterator[bytes]) -> None:
        """Do nothing: fsspec has no checksum that is common to its packages."""

    def close(self) -> None:
        """Do nothing: fsspec keeps its connections."""

    def _look(self, filesystem: Any, path: str, meter: Meter) -> tuple[int | None, str]:
        """Return the size and the version; None and "" for what is unknown."""

        def look() -> dict[str, Any]:
            filesystem.invalidate_cache()  # which may hold an earlier listing
            info: dict[str, Any] = filesystem.info(path)
            return info

        info = self._translated(partial(within, meter, look))
        names = (*_VERSIONS, *_VERSIONS_BY_SCHEME.get(scheme_of(self.url), ()))
        version = [f"{name}={info[name]}" for name in names if info.get(name) is not None]
        size = info.get("size")
        return (size if isinstance(size, int) else None), " ".join(version)

    def _check(self, version: str, found: str) -> None:
        if version and found != version:
            raise SourceReadError(
                f"{redact_url(self.url)} changed while it was read; try again when it is complete"
            )

    def _pieces(self, filesystem: Any, path: str, part: Part, meter: Meter) -> Iterator[bytes]:
        of_range = filesystem.cat_file
        if scheme_of(self.url) in _OPENED:
            of_range = partial(_range_of_opened, filesystem)
        for begin in range(part.start, part.stop, _BLOCK):
            end = min(begin + _BLOCK, part.stop)
            read = partial(of_range, path, begin, end)
            with meter.waiting():
                piece: bytes = self._translated(partial(within, meter, read))
            meter.received(len(piece))
            if end == part.stop:
                self._check(part.version, self._look(filesystem, path, meter)[1])
            yield piece

    def _stream(self, filesystem: Any, path: str, meter: Meter) -> Iterator[bytes]:
        source = self._translated(partial(within, meter, partial(filesystem.open, path, "rb")))
        try:
            while True:
                with meter.waiting():
                    block: bytes = self._translated(
                        partial(within, meter, partial(source.read, _BLOCK))
                    )
                meter.received(len(block))
                if not block:
                    break
                yield block
        except BaseException:
            start(source.close)  # not waited for: it may hang too
            raise
        self._translated(partial(within, meter, source.close))

    def _translated(self, call: Any) -> Any:
        """Return the result of a call of the scheme's package; raise errors of this package."""
        try:
            return call()
        except (KeyframesError, TransientError):
            raise
        except FileNotFoundError:
            missing = f"no object {redact_url(self.url)}; check the address"
            raise SourceNotFoundError(missing) from None
        except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
            failed = SourceReadError(message(error, self.url, "read"))
            if isinstance(error, ConnectionError | TimeoutError):
                raise TransientError(lambda attempts: failed) from None
            raise failed from None


def _range_of_opened(filesystem: Any, path: str, begin: int, end: int) -> bytes:
    with filesystem.open(path, "rb", seekable=True) as file:
        file.seek(begin)
        content: bytes = file.read(end - begin)
        return content
