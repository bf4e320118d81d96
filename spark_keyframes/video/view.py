"""How the decoded frames of a video are shown: cropped, then turned upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer, Type
from numpy.typing import NDArray

from spark_keyframes.video.centre import Box
from spark_keyframes.video.header_parts import NO_CROP, Crop

Matrix = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """The crop and the orientation of a video. They are the same for all of its frames.

    A frame may state another orientation than the first one. Turning each by its own would mix
    upright and lying images of one video, so the first frame's is used.
    """

    crop: Crop = NO_CROP
    """What the container states; the codec's own crop is applied by the decoder."""
    matrix: Matrix | None = None
    """Signs of a, b, c, d of the display matrix; None if the frames are upright."""

    @classmethod
    def of(cls, first: av.VideoFrame, crop: Crop) -> View:
        """Return the view of the video whose first frame this is."""
        return cls(crop, _display_matrix(first))

    def size(self, picture: av.VideoFrame) -> tuple[int, int]:
        """Return the width and height of a frame as it is shown."""
        top, bottom, left, right = self._crop_of(picture.width, picture.height)
        width, height = picture.width - left - right, picture.height - top - bottom
        return (height, width) if self.matrix and self.matrix[0] == 0 else (width, height)

    def shown(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of a decoded frame, H×W×3, as it is shown."""
        height, width, _ = image.shape
        top, bottom, left, right = self._crop_of(width, height)
        return self.upright(image[top : height - bottom, left : width - right])

    def upright(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of an image, H×W×3, turned as the video is."""
        return image if self.matrix is None else _upright(image, self.matrix)

    def decoded(self, box: Box, picture: av.VideoFrame) -> Box:
        """Return where a box of the shown frame is in the decoded one."""
        width, height = self.size(picture)
        rows, columns = (box.top, box.bottom), (box.left, box.right)
        if self.matrix is not None:
            a, b, c, d = self.matrix
            if a == 0:
                a, d = c, b
            rows = (height - box.bottom, height - box.top) if d < 0 else rows
            columns = (width - box.right, width - box.left) if a < 0 else columns
            if self.matrix[0] == 0:
                rows, columns = columns, rows
        crop = self._crop_of(picture.width, picture.height)
        return Box(*(crop.top + row for row in rows), *(crop.left + column for column in columns))

    def _crop_of(self, width: int, height: int) -> Crop:
        crop = self.crop
        leaves_nothing = crop.top + crop.bottom >= height or crop.left + crop.right >= width
        return NO_CROP if leaves_nothing else crop


def _unknown(cls: type[Type], number: int) -> Type:
    member: Any = object.__new__(cls)
    member._name_, member._value_ = f"UNKNOWN_{number}", number
    return cast("Type", member)


# FFmpeg knows more kinds of side data than PyAV, which raises ValueError for them, whichever kind
# was asked for.
Type._missing_ = classmethod(_unknown)  # type: ignore[method-assign,assignment]


def _display_matrix(picture: av.VideoFrame) -> Matrix | None:
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


def _upright(image: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """Apply a display matrix of quarter turns and mirrors: x' = a·x + c·y, y' = b·x + d·y."""
    a, b, c, d = matrix
    if a == 0:
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return image
