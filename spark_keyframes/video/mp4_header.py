"""Reads a track of an MP4 or MOV header; see ISO/IEC 14496-12."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from spark_keyframes.video.header_parts import (
    NO_CROP,
    Crop,
    Span,
    TrackHeader,
    Window,
    find,
)

_ENCRYPTED = {b"encv", b"drmi"}  # sample entries
# The boxes of encrypted samples; `uuid` is one if it is that of PIFF.
_SAMPLE_BOXES = (b"senc", b"saiz", b"uuid")
_PIFF = bytes.fromhex("a2394f525a9b4f14a2446c427c648df4")
_SCHEMES = {b"cenc", b"cbc1", b"cens", b"cbcs"}
_SAMPLE_WANTED = re.compile(rb"senc|saiz|" + re.escape(_PIFF))
_WANTED = re.compile(rb"encv|drmi|clap|" + _SAMPLE_WANTED.pattern)
# In one part: a crafted file may hold any number. A live recording has two for each fragment.
_MOST_BOXES = 1_000_000
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


def later_encryption(file: Window, track_id: int) -> str:
    """Return how a later part of a fragmented file is encrypted; "" if none is.

    Joined recordings have several headers, such as a clear advertisement before an encrypted film.
    FFmpeg uses only the first of them. If that is for clear packets, it takes all for clear.
    """
    boxes = partial(_boxes, file)
    is_fragmented = False
    for kind, span in boxes(file.span):
        if kind == b"moov" and not is_fragmented:
            if next(find(boxes, span, b"mvex"), None) is None:
                return ""
            is_fragmented = True
        elif kind == b"moov":
            for track in find(boxes, span, b"trak"):
                if sign := _described(file, track).encryption:
                    return sign
        elif kind == b"moof" and is_fragmented and file.may_have(span, _SAMPLE_WANTED):
            for fragment in find(boxes, span, b"traf"):
                start, stop = next(find(boxes, fragment, b"tfhd"), (0, 0))
                is_own = int.from_bytes(file.read(start + 4, stop)[:4], "big") == track_id
                if is_own and (sign := _sign_of_samples(file, fragment)):
                    return sign
    return ""


def coded_spans(file: Window) -> list[Span]:
    """Return where the coded data is in a file with one header; nothing if there are fragments."""
    boxes = partial(_boxes, file)
    spans, headers = [], 0
    for kind, span in boxes(file.span):
        if kind == b"moof" or (kind == b"moov" and any(find(boxes, span, b"mvex"))):
            return []
        headers += kind == b"moov"
        if kind == b"mdat":
            spans.append(span)
    return spans if headers == 1 else []


def _id_in(header: bytes) -> int:
    at = 20 if header[:1] == b"\1" else 12  # after two times of 8 or 4 bytes
    return int.from_bytes(header[at : at + 4], "big")


def _described(file: Window, track: Span) -> TrackHeader:
    boxes = partial(_boxes, file)
    crop, encryption = NO_CROP, _sign_of_samples(file, track)
    for table in find(boxes, track, b"mdia", b"minf", b"stbl"):
        encryption = encryption or _sign_of_samples(file, table)
    for start, stop in find(boxes, track, b"mdia", b"minf", b"stbl", b"stsd"):
        for kind, (entry, end) in boxes((start + 8, stop)):
            if kind in _ENCRYPTED:
                encryption = f"its sample entry is {kind.decode()}"
            for aperture in find(boxes, (entry + _ENTRY_BYTES, end), b"clap"):
                size = file.read(entry + 24, entry + 28)
                crop = _clean_aperture(file.read(*aperture), size)
    return TrackHeader(crop, encryption)


def _sign_of_samples(file: Window, span: Span) -> str:
    """Return which box in a track or fragment says that samples are encrypted; "" if none does."""
    for kind, (start, stop) in _boxes(file, span):
        if kind not in _SAMPLE_BOXES:
            continue
        head = file.read(start, min(start + 16, stop))
        # Without a sample, it says nothing. Sizes of other information state whose they are.
        is_empty = kind == b"senc" and head[4:8] == bytes(4)
        is_other = (kind == b"uuid" and head != _PIFF) or (
            kind == b"saiz" and head[3:4] == b"\1" and head[4:8] not in _SCHEMES
        )
        if not is_empty and not is_other:
            return f"it has a box {kind.decode()} with information on encrypted samples"
    return ""


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
    for _ in range(_MOST_BOXES):
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
