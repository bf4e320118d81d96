"""Reads a track of a Matroska or WebM header; see RFC 9559, and RFC 8794 for EBML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice

from spark_keyframes.errors import LimitError
from spark_keyframes.video.header_parts import (
    Crop,
    Span,
    TrackHeader,
    Window,
    find,
)

_SEGMENT, _TRACKS, _TRACK, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
_SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_TYPE, _TYPE_VIDEO, _VIDEO = 0x83, 1, 0xE0
_ENCODINGS, _ENCODING, _ENCODING_TYPE, _ENCRYPTION = 0x6D80, 0x6240, 0x5033, 1
_CROP = (0x54BB, 0x54AA, 0x54CC, 0x54DD)  # top, bottom, left, right
_MOST_ELEMENTS = 100_000  # that are looked at in one file; most have a hundred
_WANTED = re.compile(rb"\x54[\xbb\xaa\xcc\xdd]|\x6d\x80")  # the crop, and the encodings


def matroska_track(file: Window, number: int) -> TrackHeader:
    """Return the header of a video track, which are counted from 0; an empty one if not there."""
    elements = partial(_elements, file)
    tracks = _tracks(file)
    if tracks is None or not file.may_have(tracks, _WANTED):
        return TrackHeader()
    videos = (
        track
        for track in find(elements, tracks, _TRACK)
        if _integers(file, track).get(_TYPE) == _TYPE_VIDEO
    )
    track = next(islice(videos, number, None), None)
    if track is None:
        return TrackHeader()
    values: dict[int, int] = {}
    for video in find(elements, track, _VIDEO):
        values |= _integers(file, video)
    crop = Crop(*(values.get(side, 0) for side in _CROP))
    is_encrypted = any(
        _integers(file, encoding).get(_ENCODING_TYPE) == _ENCRYPTION
        for encoding in find(elements, track, _ENCODINGS, _ENCODING)
    )
    return TrackHeader(crop, "its track has a ContentEncryption" if is_encrypted else "")


def _tracks(file: Window) -> Span | None:
    """Return where the tracks are: before the clusters, or else where the index says."""
    elements = partial(_elements, file)
    for start, stop in find(elements, file.span, _SEGMENT):
        for tracks in find(elements, (start, stop), _TRACKS):
            return tracks
        for seek in find(elements, (start, stop), _SEEK_HEAD, _SEEK):
            entry = _integers(file, seek)
            if entry.get(_SEEK_ID) == _TRACKS:
                position = start + entry.get(_SEEK_POSITION, 0)
                return next(find(elements, (position, stop), _TRACKS), None)
    return None


def _integers(file: Window, span: Span) -> dict[int, int]:
    """Return the elements of up to 8 bytes in a span, by id, as integers."""
    return {
        kind: int.from_bytes(file.read(start, stop), "big")
        for kind, (start, stop) in _elements(file, span)
        if stop - start <= 8
    }


def _elements(file: Window, span: Span) -> Iterator[tuple[int, Span]]:
    """Yield the elements in a span, up to the first cluster."""
    start, stop = span
    while True:
        file.parts += 1
        if file.parts > _MOST_ELEMENTS:
            raise LimitError(
                f"the header of the video has more than {_MOST_ELEMENTS} elements; it is damaged, "
                "or made to exhaust the processor; remux it with ffmpeg -i in.mkv -c copy out.mkv",
                stage="demux",
            )
        header = file.read(start, min(start + 12, stop))
        id_bytes = 9 - header[0].bit_length() if header else 0
        if not 1 <= id_bytes <= 4 or len(header) <= id_bytes:
            return
        kind = int.from_bytes(header[:id_bytes], "big")
        size_bytes = 9 - header[id_bytes].bit_length()
        if kind == _CLUSTER or size_bytes > 8:
            return
        content = start + id_bytes + size_bytes
        # The first bit that is set only tells the length of the number.
        largest = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(header[id_bytes : id_bytes + size_bytes], "big") & largest
        # The largest number is the unknown size of a live recording.
        end = stop if size == largest else min(content + size, stop)
        yield kind, (content, end)
        start = end
