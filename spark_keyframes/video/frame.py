"""A decoded frame in the codec's pixel format, converted to RGB on request."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from spark_keyframes.errors import DecodeError
from spark_keyframes.video.memory_limit import raise_if_out_of_memory

_HD_LINES = 720
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED


class Frame:
    """One decoded frame of a video. It stays usable after the video is closed."""

    __slots__ = ("_matrix", "_picture", "frame_id", "timestamp")

    def __init__(self, frame_id: int, timestamp: float, picture: av.VideoFrame) -> None:
        self.frame_id = frame_id
        """Number of the frame in presentation order, from 0."""
        self.timestamp = timestamp
        """Start of the frame, in seconds from the start of the video."""
        self._picture = picture
        self._matrix = _display_matrix(picture)

    @property
    def height(self) -> int:
        """Height of the upright frame, in pixels."""
        return self._picture.width if self._is_turned else self._picture.height

    @property
    def width(self) -> int:
        """Width of the upright frame, in pixels."""
        return self._picture.height if self._is_turned else self._picture.width

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the frame takes: 1.5 per pixel for 4:2:0 video, half of RGB."""
        return sum(plane.buffer_size for plane in self._picture.planes)

    @property
    def _is_turned(self) -> bool:
        return self._matrix is not None and self._matrix[0] == 0

    def to_rgb(self, *, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Convert the frame to RGB, upright and at full size.

        The colour matrix and range are those of the video. Untagged video is BT.709 from 720 lines
        on, BT.601 below. Non-square pixels stay as they are.

        Args:
            out: array to write into, H×W×3, uint8.

        Returns:
            H×W×3, uint8, RGB. `out` if given, otherwise a new C-contiguous array.

        Raises:
            DecodeError: the pixel format cannot be converted.
        """
        picture = self._picture
        untagged_hd = picture.colorspace == _UNSPECIFIED and picture.height >= _HD_LINES
        try:
            # By default swscale uses one thread per core, which Spark does not know about.
            rgb = picture.reformat(
                format="rgb24",
                src_colorspace=Colorspace.ITU709 if untagged_hd else None,
                threads=1,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise_if_out_of_memory(error, picture.width * picture.height)
            raise DecodeError(
                f"cannot convert frame {self.frame_id} ({picture.format.name}) to RGB: {error}"
            ) from error
        image = cast("NDArray[np.uint8]", rgb.to_ndarray())
        if self._matrix is not None:
            image = _upright(image, self._matrix)
        if out is not None:
            np.copyto(out, image)
            return out
        # For some widths, PyAV returns a view with padded rows.
        return np.ascontiguousarray(image)

    def __repr__(self) -> str:
        return f"Frame(frame_id={self.frame_id}, timestamp={self.timestamp:.3f})"


def _display_matrix(picture: av.VideoFrame) -> tuple[int, int, int, int] | None:
    """Return the signs of a, b, c, d of the display matrix; None if the picture is upright."""
    # Do not use picture.side_data: it makes a reference cycle with the picture, so that only the
    # garbage collector would free the frames, hundreds at a time.
    side_data = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg] # untyped
    if side_data is None:
        return None
    a, b, _, c, d = np.sign(np.frombuffer(bytes(cast("Buffer", side_data)), "=i4")[:5]).tolist()
    # Only quarter turns and mirrors are applied; any other rotation would need resampling.
    if (a, d) == (0, 0):
        is_orthogonal = b != 0 and c != 0
    else:
        is_orthogonal = (b, c) == (0, 0) and a != 0 and d != 0
    return (a, b, c, d) if is_orthogonal and (a, b, c, d) != (1, 0, 0, 1) else None


def _upright(image: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Apply a display matrix of quarter turns and mirrors: x' = a·x + c·y, y' = b·x + d·y."""
    a, b, c, d = matrix
    if a == 0:
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return image
