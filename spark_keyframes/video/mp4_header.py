"""Reads a track of an MP4 or MOV header; see ISO/IEC 14496-12."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from spark_keyframes.video.header_parts import (
    MOST_PARTS,
    NO_CROP,
    Crop,
    Span,
    TrackHeader,
    Window,
    find,
)

_ENCRYPTED = {b"encv", b"drmi"}  # sample entries
_WANTED = re.compile(rb"encv|drmi|clap")
_ENTRY_BYTES = 78  # of a video's sample entry, before the boxes in it


def mp4_track(file: Window, track_id: int) -> TrackHeader:
    """Return the header of the track with this id; an empty one if there is none."""
    boxes = partial(_boxes, file)
    header = next(find(boxes, file.span, b"moov"), None)
    if header is None or not file.may_have(header, _WANTED):
        return TrackHeader()
    for track in find(boxes, header, b"trak"):
        for start, stop in find(boxes, track, b"tkhd"):
            if _id_in(file.read(start, min(stop, start + 32))) == track_id:
                return _described(file, track)
    return TrackHeader()


def later_encryption(file: Window) -> str:
    """Return how a track of a second header in a fragmented file is encrypted; "" if none is.

    Joined recordings have several headers, such as a clear advertisement before an encrypted film.
    FFmpeg uses only the first of them, and takes all packets for clear.
    """
    boxes = partial(_boxes, file)
    headers = find(boxes, file.span, b"moov")
    first = next(headers, None)
    if first is None or next(find(boxes, first, b"mvex"), None) is None:
        return ""
    tracks = (track for header in headers for track in find(boxes, header, b"trak"))
    return next(filter(None, (_described(file, track).encryption for track in tracks)), "")


def _id_in(header: bytes) -> int:
    at = 20 if header[:1] == b"\1" else 12  # after two times of 8 or 4 bytes
    return int.from_bytes(header[at : at + 4], "big")


def _described(file: Window, track: Span) -> TrackHeader:
    boxes = partial(_boxes, file)
    crop, encryption = NO_CROP, ""
    for start, stop in find(boxes, track, b"mdia", b"minf", b"stbl", b"stsd"):
        for kind, (entry, end) in boxes((start + 8, stop)):
            if kind in _ENCRYPTED:
                encryption = f"its sample entry is {kind.decode()}"
            for aperture in find(boxes, (entry + _ENTRY_BYTES, end), b"clap"):
                size = file.read(entry + 24, entry + 28)
                crop = _clean_aperture(file.read(*aperture), size)
    return TrackHeader(crop, encryption)


def _clean_aperture(box: bytes, size: bytes) -> Crop:
    """Return the crop that a `clap` box states, rounded as FFmpeg does; none if it is invalid.

    Args:
        box: width, height and the offsets of the centre, each a fraction of two integers.
        size: width and height of the coded frames.
    """
    numbers = struct.unpack(">IIIIiIiI", box) if len(box) == 32 else (0, 0)
    if 0 in numbers[1::2]:
        return NO_CROP
    aperture_width, aperture_height, x, y = (
        Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2)
    )
    width, height = struct.unpack(">HH", size)
    sides: list[int] = []
    for length, aperture, offset in ((height, aperture_height, y), (width, aperture_width, x)):
        centre = Fraction(length - 1, 2) + offset
        first, last = centre - (aperture - 1) / 2, centre + (aperture - 1) / 2
        if aperture < 1 or first < 0 or last > length - 1:
            return NO_CROP
        sides += [int(first), length - 1 - int(last)]
    return Crop(*sides)


def _boxes(file: Window, span: Span) -> Iterator[tuple[bytes, Span]]:
    start, stop = span
    for _ in range(MOST_PARTS):
        header = file.read(start, min(start + 16, stop))
        if len(header) < 8:
            return
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1:  # it follows, in 8 bytes
            size, content = int.from_bytes(header[8:], "big"), start + 16
        elif size == 0:  # up to the end
            size = stop - start
        if size < content - start:
            return
        yield kind, (content, min(start + size, stop))
        start += size
