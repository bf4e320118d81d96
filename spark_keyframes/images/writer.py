"""Uploads keyframe images in the background."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from spark_keyframes.images.encode import ImgType, content_type
from spark_keyframes.images.keys import image_url
from spark_keyframes.storage import check_accepted, check_writable, write_url

# Uploads wait for the network, not for the CPU.
_UPLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class ImageWriter:
    """Stores the keyframes of videos under `output_dir`; picklable.

    The same video and frame give the same URL and the same bytes, so a retry does no harm.
    """

    output_dir: str
    img_type: ImgType

    def check(self) -> None:
        """Raise what can be known before the first video, such as CredentialsError."""
        check_writable(self.output_dir)
        check_accepted(self.output_dir)

    @contextmanager
    def begin(self, stem: str, identity: str) -> "Iterator[Upload]":
        """Open the upload of one video; leaving early cancels images that are not stored yet.

        Args:
            stem: the beginning of the images' folder, readable.
            identity: of the video: its hash.
        """
        pool = ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload")
        upload = Upload(self, stem, identity, pool)
        try:
            yield upload
        finally:
            upload.cancel()
            pool.shutdown(wait=True, cancel_futures=True)


class Upload:
    """The upload of one video's keyframes."""

    def __init__(
        self, writer: ImageWriter, stem: str, identity: str, pool: ThreadPoolExecutor
    ) -> None:
        self._writer = writer
        self._stem = stem
        self._identity = identity
        self._urls: list[str] = []
        self._pending: deque[Future[None]] = deque()
        self._pool = pool
        self._cancelled = threading.Event()
        self._counting = threading.Lock()
        self.images = 0
        """images acknowledged so far; final once `ImageWriter.begin` is left"""
        self.bytes = 0
        """the size of these images"""

    def add(self, frame_id: int, data: bytes) -> None:
        """Start the upload of an encoded frame; waits while many are pending.

        Raises:
            StorageWriteError, CredentialsError: of an earlier frame.
        """
        url = image_url(
            self._writer.output_dir,
            stem=self._stem,
            identity=self._identity,
            frame_id=frame_id,
            img_type=self._writer.img_type,
        )
        self._pending.append(self._pool.submit(self._store, url, data))
        self._urls.append(url)
        if len(self._pending) >= 2 * _UPLOADS_AT_ONCE:
            self._pending.popleft().result()

    def _store(self, url: str, data: bytes) -> None:
        kind = content_type(self._writer.img_type)
        write_url(url, data, content_type=kind, cancelled=self._cancelled)
        with self._counting:
            self.images += 1
            self.bytes += len(data)

    def finish(self) -> list[str]:
        """Wait until every image is acknowledged; return their URLs in order.

        Raises:
            StorageWriteError, CredentialsError: images that were stored by then stay.
        """
        while self._pending:
            self._pending.popleft().result()
        return self._urls

    def cancel(self) -> None:
        """Stop retrying; from any thread.

        An attempt that was begun still ends by itself; then `add` or `finish` raises its error.
        """
        self._cancelled.set()
