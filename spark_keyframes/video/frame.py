"""A decoded frame in the codec's pixel format, converted to RGB on request."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from spark_keyframes.errors import DecodeError
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.conversion import converted, converted_part
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.view import View


class Frame:
    """One decoded frame of a video. It stays usable after the video is closed."""

    __slots__ = ("_picture", "frame_id", "is_keyframe_packet", "timestamp", "view")

    def __init__(self, frame_id: int, timestamp: float, picture: av.VideoFrame) -> None:
        self.frame_id = frame_id
        """Number of the frame in presentation order, from 0."""
        self.timestamp = timestamp
        """Start of the frame, in seconds from the start of the video."""
        self.is_keyframe_packet = bool(picture.key_frame)
        """Whether the codec's packet is flagged as a keyframe; where frames are decoded in
        sequence, whether the decoder takes the frame for one."""
        self.view = View()
        """How it is shown; that of the video's first frame."""
        self._picture = picture

    @property
    def height(self) -> int:
        """Height of the frame, cropped and upright, in pixels."""
        return self.view.size(self._picture)[1]

    @property
    def width(self) -> int:
        """Width of the frame, cropped and upright, in pixels."""
        return self.view.size(self._picture)[0]

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the frame takes: 1.5 per pixel for 4:2:0 video, half of RGB."""
        return sum(plane.buffer_size for plane in self._picture.planes)

    def to_rgb(
        self, *, out: NDArray[np.uint8] | None = None, looks_at: CentreCrop | None = None
    ) -> NDArray[np.uint8]:
        """Convert the frame to RGB, cropped as its container states, upright and at full size.

        The colour matrix and range are those of the video. Untagged video is BT.709 from 720 lines
        on, BT.601 below. Non-square pixels stay as they are.

        Args:
            out: array to write into, H×W×3, uint8.
            looks_at: convert only the pixels that matter to this crop. The others are undefined;
                those of `out` stay as they are.

        Returns:
            H×W×3, uint8, RGB. `out` if given, otherwise a new C-contiguous array.

        Raises:
            DecodeError: the pixel format or the colour matrix cannot be converted.
        """
        picture = self._picture
        try:
            if looks_at is not None:
                return self._part_to_rgb(looks_at, out)
            image = self.view.shown(converted(picture))
        except (av.error.FFmpegError, ValueError) as error:
            raise_if_out_of_memory(error, picture.width * picture.height)
            raise DecodeError(
                f"cannot convert frame {self.frame_id} ({picture.format.name}, colour matrix "
                f"{picture.colorspace}) to RGB: {error}; convert the video to H.264 in BT.709"
            ) from error
        if out is not None:
            np.copyto(out, image)
            return out
        # For some widths, PyAV returns a view with padded rows.
        return np.ascontiguousarray(image)

    def _part_to_rgb(
        self, looks_at: CentreCrop, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        width, height = self.view.size(self._picture)
        if out is None:
            out = np.empty((height, width, 3), np.uint8)
        box = looks_at.box(height, width)
        part = converted_part(self._picture, self.view.decoded(box, self._picture))
        np.copyto(out[box.top : box.bottom, box.left : box.right], self.view.upright(part))
        return out

    def __repr__(self) -> str:
        return f"Frame(frame_id={self.frame_id}, timestamp={self.timestamp:.3f})"
