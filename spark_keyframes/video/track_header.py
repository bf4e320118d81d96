"""Reads what FFmpeg reads too, but PyAV does not show: a track's crop, and whether it is encrypted.

Only the headers of MP4 (or MOV), Matroska (or WebM), FLV and ASF are read: some hundred bytes.
"""

from __future__ import annotations

from spark_keyframes.video.drm_headers import asf_encryption, flv_encryption
from spark_keyframes.video.header_parts import SeekableReader, TrackHeader, Window, is_mp4
from spark_keyframes.video.matroska_header import matroska_track
from spark_keyframes.video.mp4_header import mp4_track


def read_track_header(
    file: SeekableReader, container_format: str, *, stream_id: int, number: int
) -> TrackHeader:
    """Return the header of one video track; the file keeps its position.

    Args:
        file: the container.
        container_format: FFmpeg's name of its format.
        stream_id: FFmpeg's id of the stream, which is the id of an MP4 track.
        number: of the stream among all video streams, from 0.
    """
    if is_mp4(container_format):
        with Window(file) as window:
            return mp4_track(window, stream_id)
    if container_format.startswith("matroska,"):
        with Window(file) as window:
            return matroska_track(window, number)
    if container_format == "flv":
        with Window(file) as window:
            return TrackHeader(encryption=flv_encryption(window))
    if container_format == "asf":
        with Window(file) as window:
            return TrackHeader(encryption=asf_encryption(window))
    return TrackHeader()
