"""Converts decoded pictures to RGB by swscale, whole or in part, with the same pixels."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from spark_keyframes.video.centre import Box

_HD_LINES = 720
_UNSPECIFIED, _RESERVED, _LAST_KNOWN = 2, 3, 17  # of AVColorSpace, which is that of H.273

# In these formats, swscale converts a part of a picture as it converts the whole, if both sizes are
# even. Only up to 8 pixels at the edges of the part differ, where its filter for chroma ends.
_PARTS_ARE_EXACT = {
    f"{name}{depth}"
    for name in ("yuv420p", "yuv422p", "yuv444p", "gray")
    for depth in ("", "10le", "12le")
} | {"yuvj420p", "yuvj422p", "yuvj444p"}
_MARGIN = 16
_STEP = 16  # a part begins at a multiple: chroma, fields and the blocks of SIMD are not torn apart


class _Cut:
    """FFmpeg's filter `crop`: it moves the pointers of pictures of one size, and keeps their tags.

    Set up again for each picture, it would take as long as converting a small one.
    """

    def __init__(self, picture: av.VideoFrame, part: Box) -> None:
        graph = av.filter.Graph()
        graph.threads = 1
        self._source = graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=Fraction(1, 1000),  # of no importance
        )
        height, width = part.bottom - part.top, part.right - part.left
        crop = graph.add("crop", f"w={width}:h={height}:x={part.left}:y={part.top}")
        self._sink = graph.add("buffersink")
        self._source.link_to(crop)
        crop.link_to(self._sink)
        graph.configure()
        self._graph = graph

    def of(self, picture: av.VideoFrame) -> av.VideoFrame:
        self._source.push(picture)
        return cast("av.VideoFrame", self._sink.pull())


class _PerThread(threading.local):
    """What a thread uses again for its next picture."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()
        self.cut: _Cut | None = None
        self.cut_is_for: object = None


_own = _PerThread()


def converted(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the pixels as H×W×3, uint8, RGB, with rows that may be padded.

    The colour matrix and range are those of the video. Untagged video is BT.709 from 720 lines on,
    BT.601 below.

    Raises:
        FFmpegError, ValueError: the pixel format or the colour matrix cannot be converted.
    """
    return _converted(picture, _assumed_matrix(picture))


def converted_part(picture: av.VideoFrame, box: Box) -> NDArray[np.uint8]:
    """Return the pixels in a box, the same as in the whole picture. Raises as `converted`."""
    height, width = picture.height, picture.width
    part = Box(*_outwards(box.top, box.bottom, height), *_outwards(box.left, box.right, width))
    cut = None
    if part != (0, height, 0, width):
        cut = _cut(picture, part)
    if cut is None:
        part, cut = Box(0, height, 0, width), picture
    rgb = _converted(cut, _assumed_matrix(picture))
    return rgb[
        box.top - part.top : box.bottom - part.top, box.left - part.left : box.right - part.left
    ]


def _converted(picture: av.VideoFrame, matrix: Colorspace | None) -> NDArray[np.uint8]:
    # By default swscale uses one thread per core, which Spark does not know about.
    rgb = _own.reformatter.reformat(picture, format="rgb24", src_colorspace=matrix, threads=1)
    return cast("NDArray[np.uint8]", rgb.to_ndarray())


def _cut(picture: av.VideoFrame, part: Box) -> av.VideoFrame | None:
    """Return a part of a picture, which shares its memory; None: not with the same pixels."""
    height, width, name = picture.height, picture.width, picture.format.name
    if height % 2 or width % 2 or name not in _PARTS_ARE_EXACT:
        return None
    key, cut = (height, width, name, part), _own.cut
    if cut is None or _own.cut_is_for != key:
        cut = _Cut(picture, part)
    _own.cut = None  # unless it succeeds
    found = cut.of(picture)
    _own.cut, _own.cut_is_for = cut, key
    # FFmpeg gives the formats of JPEG their own range, whatever the picture states.
    tags = ("colorspace", "color_range")
    return found if all(getattr(found, tag) == getattr(picture, tag) for tag in tags) else None


def _outwards(start: int, end: int, size: int) -> tuple[int, int]:
    """Return the bounds of a part that is converted for these rows or columns."""
    start = max(0, start - _MARGIN) // _STEP * _STEP
    end = -(-(end + _MARGIN) // _STEP) * _STEP
    return start, min(size, end)


def _assumed_matrix(picture: av.VideoFrame) -> Colorspace | None:
    """Return the colour matrix of an untagged frame; None if its own tag, or FFmpeg's default."""
    tag = picture.colorspace
    is_unknown = tag == _RESERVED or tag > _LAST_KNOWN
    if (tag == _UNSPECIFIED or is_unknown) and picture.height >= _HD_LINES:
        return Colorspace.ITU709
    return Colorspace.ITU601 if is_unknown else None
