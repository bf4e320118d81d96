"""The clips to mutate: 54 pairs of codec and container, 64×48 pixels, 8 to 25 frames each."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np

from tests.video.clips import H265, clip
from tests.video.field_pictures import field_stream, muxed
from tests.video.stored_times import decoding_times_only, jumping, packed, without_boxes
from tests.video.tracks import COVER, DEFAULT, Track, joined

SIZE = (64, 48)
# The result of x264's lookahead depends on earlier contents of its memory. Without it, and at a
# constant quantizer, a clip has the same bytes every time.
_X264 = "bframes=2:b-adapt=0:scenecut=0:weightp=0:rc-lookahead=0"
_H264 = {"qp": "30", "preset": "veryfast", "threads": "1", "x264-params": _X264}
# A positive cpu-used would let the VP8 encoder choose its speed by the time that passes.
_VPX = {"deadline": "realtime", "cpu-used": "-8", "auto-alt-ref": "1", "lag-in-frames": "8"}
_GAP = [number + 20 * (number > 8) for number in range(15)]
_JUMP = {8: 25 * 1_700_000_000}
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


@dataclass(frozen=True)
class Pair:
    """How to encode a clip, and the format of its bytes."""

    make: Callable[[], bytes]
    layout: str
    """Name of the parser of its structure, see `clip_structure.parse_structure`."""
    hint: str
    """The `format_hint` to open it with."""


def _pair(
    layout: str,
    codec: str,
    container: str,
    *,
    frames: int = 15,
    hint: str | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    rotation: int | None = None,
    pts: list[int] | None = None,
    packet_filter: Callable[[list[av.Packet]], list[av.Packet]] | None = None,
) -> Pair:
    def make() -> bytes:
        return clip(
            codec,
            container,
            frames=frames,
            size=SIZE,
            gop=6,
            pix_fmt=pix_fmt,
            options=options,
            # Otherwise Matroska and Ogg contain random ids, which differ each time.
            container_options={"fflags": "+bitexact", **(muxing or {})},
            rotation=rotation,
            pts=pts,
            packet_filter=packet_filter,
        )

    return Pair(make, layout, hint or container)


def _h264_with_sound() -> bytes:
    """Return H.264 with an audio track: two streams with interleaved packets."""
    file = io.BytesIO()
    video = av.open(io.BytesIO(_pair("mp4", "libx264", "mp4", options=_H264).make()))
    with video, av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream_from_template(video.streams.video[0])
        sound = output.add_stream("aac", rate=8000)
        samples = np.sin(np.arange(4800) / 5)[None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        packets = [*sound.encode(frame), *sound.encode(None)]
        for packet in video.demux(video=0):
            if packet.size:
                packet.stream = stream
                packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return file.getvalue()


def _without_ctts(codec: str, options: dict[str, str]) -> Pair:
    """MP4 that stores decoding times only."""
    whole = _pair("mp4", codec, "mp4", options=options)
    return Pair(lambda: without_boxes(whole.make(), b"ctts", b"edts"), "mp4", "mp4")


def _tracks(layout: str, container: str, *tracks: tuple[int, bool]) -> Pair:
    """Several tracks of H.264, each with its disposition, and with packets or without."""

    def make() -> bytes:
        clips = [_pair("mp4", "libx264", "mp4", options=_H264, frames=n).make() for n in (15, 6, 3)]
        several = [Track(clip, *track) for clip, track in zip(clips[::-1], tracks, strict=False)]
        return joined(container, *several, options={"fflags": "+bitexact"})

    return Pair(make, layout, container)


def _av1(layout: str, container: str) -> Pair:
    os.environ["SVT_LOG"] = "0"  # the encoder would write to stderr
    options = {"preset": "12", "svtav1-params": "lp=1"}
    return _pair(layout, "libsvtav1", container, frames=10, options=options)


PAIRS: dict[str, Pair] = {
    "h264-mp4": _pair("mp4", "libx264", "mp4", options=_H264, frames=25),
    "h264-mp4-fragmented": _pair("mp4", "libx264", "mp4", options=_H264, muxing=_FRAGMENTED),
    "h264-mov-turned": _pair("mp4", "libx264", "mov", options=_H264, rotation=90),
    "h264-ts": _pair("ts", "libx264", "mpegts", options=_H264),
    "h264-ts-interlaced": _pair(
        "ts", "libx264", "mpegts", options={**_H264, "x264-params": f"{_X264}:interlaced=1"}
    ),
    "h264-aac-mkv": Pair(_h264_with_sound, "ebml", "mkv"),
    "h264-flv": _pair("flv", "libx264", "flv", options=_H264),
    "h264-avi": _pair("riff", "libx264", "avi", options=_H264),
    "h264-raw": _pair("startcodes", "libx264", "h264", options=_H264),
    "hevc-mp4": _pair("mp4", "libx265", "mp4", options=H265),
    "hevc-ts": _pair("ts", "libx265", "mpegts", options=H265),
    "hevc-raw": _pair("startcodes", "libx265", "hevc", options=H265),
    "vp8-webm": _pair("ebml", "libvpx", "webm", options=_VPX),
    "vp8-ogg": _pair("ogg", "libvpx", "ogg", options=_VPX),
    "vp9-webm": _pair("ebml", "libvpx-vp9", "webm", options=_VPX),
    "vp9-ivf": _pair("ivf", "libvpx-vp9", "ivf", options=_VPX),
    "av1-mp4": _av1("mp4", "mp4"),
    "av1-raw": _av1("obu", "obu"),
    "av1-mkv": _av1("ebml", "matroska"),
    "h264-fields-ts": Pair(lambda: muxed(field_stream(["fpf", "fFfP"]), "mpegts"), "ts", "ts"),
    "h264-fields-mp4": Pair(
        lambda: muxed(field_stream(["pff", "ffpP"], together=True), "mp4"), "mp4", "mp4"
    ),
    "mpeg4-avi": _pair("riff", "mpeg4", "avi", options={"bf": "2"}),
    "mpeg4-raw": _pair("startcodes", "mpeg4", "m4v", hint="m4v"),
    "mpeg2-mpg": _pair("startcodes", "mpeg2video", "vob", options={"bf": "2"}),
    "mpeg2-mxf": _pair("klv", "mpeg2video", "mxf"),
    "mpeg1-mpg": _pair("startcodes", "mpeg1video", "mpeg", hint="mpg"),
    "mjpeg-avi": _pair("riff", "mjpeg", "avi", pix_fmt="yuvj420p", frames=8),
    "mjpeg-mov": _pair("mp4", "mjpeg", "mov", pix_fmt="yuvj420p", frames=8),
    "mjpeg-raw": _pair("jpeg", "mjpeg", "mjpeg", pix_fmt="yuvj420p", frames=8),
    "prores-mov": _pair("mp4", "prores_ks", "mov", pix_fmt="yuv422p10le", frames=8),
    "mpeg4-mp4": _pair("mp4", "mpeg4", "mp4", options={"bf": "2"}),
    "mpeg4-mkv-qpel": _pair("ebml", "mpeg4", "matroska", options={"bf": "2", "flags": "+qpel+mv4"}),
    "mpeg4-ts": _pair("ts", "mpeg4", "mpegts", options={"ps": "200", "data_partitioning": "1"}),
    "wmv1-asf": _pair("asf", "wmv1", "asf", hint="wmv"),
    "msmpeg4v2-avi": _pair("riff", "msmpeg4v2", "avi"),
    "flv1-avi": _pair("riff", "flv", "avi"),
    "flv1-flv": _pair("flv", "flv", "flv"),
    "wmv2-asf": _pair("asf", "wmv2", "asf", hint="wmv"),
    "gif": _pair("gif", "gif", "gif", pix_fmt="rgb8", frames=8),
    "ffv1-mkv": _pair("ebml", "ffv1", "matroska", frames=8),
    "ffv1-nut": _pair("plain", "ffv1", "nut", frames=8),
    "rv20-rm": _pair("plain", "rv20", "rm"),
    "raw-avi": _pair("riff", "rawvideo", "avi", frames=8),
    "h264-tracks-mov": _tracks("mp4", "mov", (0, False), (int(DEFAULT), False)),
    "h264-tracks-mkv": _tracks(
        "ebml", "matroska", (int(COVER), False), (0, True), (int(DEFAULT), False)
    ),
    "h264-empty-track-mp4": _tracks("mp4", "mp4", (int(DEFAULT), True), (0, False)),
    "h264-tracks-ts": _tracks("ts", "mpegts", (0, False), (0, False)),
    "h264-mp4-decoding-times": _without_ctts("libx264", _H264),
    "hevc-mp4-decoding-times": _without_ctts("libx265", H265),
    "h264-flv-decoding-times": _pair(
        "flv", "libx264", "flv", options=_H264, packet_filter=decoding_times_only
    ),
    "h264-avi-gap": _pair("riff", "libx264", "avi", options=_H264, pts=_GAP),
    "mpeg4-avi-packed": _pair(
        "riff", "mpeg4", "avi", options={"bf": "1"}, pts=_GAP, packet_filter=packed
    ),
    "h264-mkv-jump": _pair(
        "ebml", "libx264", "matroska", options=_H264, packet_filter=lambda p: jumping(p, _JUMP)
    ),
    "raw-y4m": _pair("y4m", "wrapped_avframe", "yuv4mpegpipe", frames=8, hint="y4m"),
}


@functools.cache
def clip_of(pair: str) -> bytes:
    """Return the clip without any mutation."""
    return PAIRS[pair].make()
