"""Fetches the pictures of keyframes, and makes images of them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from spark_keyframes.account import StageClock
from spark_keyframes.engine.candidates import CandidateScores
from spark_keyframes.engine.request import RunContext
from spark_keyframes.errors import (
    ModuleError,
    ParameterError,
    RowTooLargeError,
    VideoChangedError,
)
from spark_keyframes.hooks import calling
from spark_keyframes.images import Pixels, encode_image
from spark_keyframes.images.writer import Upload
from spark_keyframes.module import KeyframesModule
from spark_keyframes.video import RgbFrame, Source, Video
from spark_keyframes.video.frame_cache import FrameCache

_CHANGED = "the video has changed since it was indexed: index it again"


class Fetcher:
    """Fetches pictures of one video, by the indices of candidates.

    Args:
        context: of the run.
        candidates: of the video.
        cache: what the decoder keeps.
        clock: of the video.
    """

    def __init__(
        self, context: RunContext, candidates: CandidateScores, cache: FrameCache, clock: StageClock
    ) -> None:
        self._context = context
        self._candidates = candidates
        self._cache = cache
        self._clock = clock
        self._upload: Upload | None = None
        parameters = context.parameters
        self._returned = parameters.return_keyframes
        self._encoded = self._returned and context.images_as == "encoded"
        self._img_type = parameters.img_type

    def cancel(self) -> None:
        """End the uploads soon; from any thread."""
        if self._upload is not None:
            self._upload.cancel()

    def shown(self, video: Video, chosen: list[int]) -> dict[int, Pixels]:
        """Return copies of these pictures by frame id, if callbacks look at pictures."""
        callbacks = self._context.callbacks
        if not (callbacks.want_keyframes and (self._returned or callbacks.need_images)):
            return {}
        return {frame_id: rgb.copy() for frame_id, rgb in self._full_size(video, chosen)}

    def images(
        self, source: Source, video: Video, chosen: list[int], shown: dict[int, Pixels]
    ) -> dict[str, dict[int, Any]]:
        """Store and return images of these pictures, as far as the parameters ask for it.

        Returns:
            By frame id: `images`, `image_files` and `tos_paths`. Each may be empty.
        """
        pictures: Iterable[tuple[int, Pixels]] = shown.items() or self._full_size(video, chosen)
        images: dict[int, Pixels] = {}
        files: dict[int, bytes] = {}
        paths: dict[int, str] = {}
        with self._uploading(source) as upload:
            for frame_id, rgb in pictures if self._returned or upload else ():
                data = encode_image(rgb, self._img_type) if self._encoded or upload else b""
                if self._encoded:
                    files[frame_id] = data
                    self._check_row(len(files), sum(map(len, files.values())), rgb)
                elif self._returned:
                    images[frame_id] = rgb if shown else rgb.copy()
                if upload:
                    upload.add(frame_id, data)
            if upload:
                self._clock.enter("upload")
                ids = [self._candidates.frame_ids[index] for index in chosen]
                paths = dict(zip(ids, upload.finish(), strict=True))
        return {"images": images, "image_files": files, "tos_paths": paths}

    def _full_size(self, video: Video, chosen: list[int]) -> Iterator[tuple[int, Pixels]]:
        """The frame id and pixels of each keyframe; each array is gone with the next one."""
        for picture in self.pictures(video, chosen):
            if self._returned and not self._encoded:
                self._check_row(len(chosen), len(chosen) * picture.rgb.nbytes, picture.rgb)
            yield picture.frame_id, picture.rgb

    @contextmanager
    def _uploading(self, source: Source) -> Iterator[Upload | None]:
        """The upload, if there is one; its images are counted once it is closed."""
        writer = self._context.writer
        if writer is None:
            yield None
            return
        try:
            with writer.begin(source.stem, source.identity) as self._upload:
                yield self._upload
        finally:
            if self._upload is not None:
                self._candidates.account.images_uploaded = self._upload.images
                self._candidates.account.bytes_uploaded = self._upload.bytes

    def pictures(self, video: Video, chosen: list[int]) -> Iterator[RgbFrame]:
        """The candidates `chosen`, in order; those that are not kept count as decoding."""
        of, stage = self._candidates, self._clock.stage
        pictures = video.frames_by_id([of.frame_ids[index] for index in chosen])
        for index in chosen:
            if index not in self._cache.frames:
                self._clock.enter("decode")
            try:
                picture = next(pictures)
            except ParameterError as error:  # no such frame
                raise VideoChangedError(f"{error}; {_CHANGED}") from None
            if picture.timestamp != of.timestamps[index]:
                raise VideoChangedError(
                    f"frame {picture.frame_id} is shown at {picture.timestamp} s, and was at "
                    f"{of.timestamps[index]} s; {_CHANGED}"
                )
            self._clock.enter(stage)
            yield picture

    @staticmethod
    def preprocess(picture: RgbFrame, module: KeyframesModule) -> Any:
        """Return what the module makes of a picture."""
        # The decoder writes the next picture to the same memory.
        rgb = picture.rgb.copy() if module.keeps_rgb else picture.rgb
        with calling("preprocess", module, ModuleError, "preprocess"):
            return module.preprocess(rgb)

    def _check_row(self, count: int, size: int, rgb: Pixels) -> None:
        limit, (height, width, _) = self._context.row_bytes, rgb.shape
        if limit is not None and size > limit:
            raise RowTooLargeError(
                f"{count} images of {width}×{height} pixels take {size / 2**30:.1f} GiB as "
                f"{self._context.images_as}, more than the {limit / 2**30:.0f} GiB that a row may "
                "hold; use return_keyframes=False with output_tos_dir, or a smaller max_num_frames"
            )
