"""A decoded frame, kept as the codec left it and turned into RGB only when that is asked for."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from spark_keyframes.errors import DecodeError
from spark_keyframes.video.shortage import check_memory

_HD_LINES = 720
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED


class Frame:
    """One frame of a video."""

    __slots__ = ("_matrix", "_picture", "frame_id", "timestamp")

    def __init__(self, frame_id: int, timestamp: float, picture: av.VideoFrame) -> None:
        self.frame_id = frame_id
        """Number of the frame in presentation order, from 0."""
        self.timestamp = timestamp
        """When it appears, in seconds from the start of the video."""
        self._picture = picture
        self._matrix = _display_matrix(picture)

    @property
    def height(self) -> int:
        """Height of the upright picture, in pixels."""
        return self._picture.width if self._is_turned else self._picture.height

    @property
    def width(self) -> int:
        """Width of the upright picture, in pixels."""
        return self._picture.height if self._is_turned else self._picture.width

    @property
    def nbytes(self) -> int:
        """Bytes that holding this frame costs: 1.5 per pixel for usual video, half of RGB."""
        return sum(plane.buffer_size for plane in self._picture.planes)

    @property
    def _is_turned(self) -> bool:
        return self._matrix is not None and self._matrix[0] == 0

    def to_rgb(self, *, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """The upright picture at full size: H×W×3, uint8, RGB, C-contiguous; in `out` if given.

        Matrix and range are the video's own; untagged video is BT.709 from 720 lines, BT.601
        below. Pixels are not made square. Raises `DecodeError`.
        """
        picture = self._picture
        untagged_hd = picture.colorspace == _UNSPECIFIED and picture.height >= _HD_LINES
        try:
            # threads=1: swscale's default is one per core, behind the back of Spark.
            rgb = picture.reformat(
                format="rgb24",
                src_colorspace=Colorspace.ITU709 if untagged_hd else None,
                threads=1,
            )
        except (av.error.FFmpegError, ValueError) as error:
            check_memory(error, picture.width * picture.height)
            raise DecodeError(
                f"cannot convert frame {self.frame_id} ({picture.format.name}) to RGB: {error}"
            ) from error
        image = cast("NDArray[np.uint8]", rgb.to_ndarray())
        if self._matrix is not None:
            image = _upright(image, self._matrix)
        if out is not None:
            np.copyto(out, image)
            return out
        # PyAV gives a view with padded rows where the width asks for it.
        return np.ascontiguousarray(image)

    def __repr__(self) -> str:
        return f"Frame(frame_id={self.frame_id}, timestamp={self.timestamp:.3f})"


def _display_matrix(picture: av.VideoFrame) -> tuple[int, int, int, int] | None:
    """The signs of a, b, c, d of the display matrix; None where the picture is upright."""
    # picture.side_data keeps what it returns, which keeps the picture: only the garbage collector
    # would free such frames, hundreds at a time.
    side_data = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg] # untyped
    if side_data is None:
        return None
    a, b, _, c, d = np.sign(np.frombuffer(bytes(cast("Buffer", side_data)), "=i4")[:5]).tolist()
    # Turned by something other than quarters: there is no upright picture without resampling.
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
