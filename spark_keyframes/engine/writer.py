"""Stores keyframe images while the next ones are still being made."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.images import ImgType, content_type, encode_image, image_url
from spark_keyframes.storage import check_writable, write_url
from spark_keyframes.video import Source

# Uploads wait for the network, not for the CPU.
_UPLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class ImageWriter:
    """Encodes the keyframes of a video and stores them under `output_dir`; picklable."""

    output_dir: str
    img_type: ImgType

    def check(self) -> None:
        """Raise what a task can know before its first video: credentials that are missing, say."""
        check_writable(self.output_dir)

    def write(
        self, source: Source, frames: Iterable[tuple[int, npt.NDArray[np.uint8]]]
    ) -> list[str]:
        """Store (frame id, H×W×3 uint8 RGB) pairs; return their URLs once all are acknowledged.

        Frames are encoded as `frames` yields them, so that only a few are in memory at a time.
        The same video and frame give the same URL and the same bytes: trying again is harmless.

        Raises StorageWriteError or CredentialsError; what was stored by then stays.
        """
        urls: list[str] = []
        uploads: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:
            try:
                for frame_id, rgb in frames:
                    url = image_url(
                        self.output_dir,
                        stem=source.stem,
                        identity=source.identity,
                        frame_id=frame_id,
                        img_type=self.img_type,
                    )
                    data = encode_image(rgb, self.img_type)
                    uploads.append(
                        pool.submit(write_url, url, data, content_type=content_type(self.img_type))
                    )
                    urls.append(url)
                    if len(uploads) >= 2 * _UPLOADS_AT_ONCE:
                        uploads.popleft().result()
                while uploads:
                    uploads.popleft().result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return urls
