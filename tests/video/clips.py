"""Small clips whose every frame shows its own number, made with PyAV's encoders.

The picture is a moving gradient (so that P and B frames have something to predict) under a row of
eight blocks: the frame number in binary, the lowest bit on the left.
"""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

H264 = {"crf": "30", "preset": "veryfast", "threads": "1"}
H265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"}


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Draw frame `number` as an H×W×3 uint8 array."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack(
        [(x * 3 + number * 5) % 256, (y * 4 + number * 3) % 256, (x + y + number) % 256], axis=-1
    ).astype(np.uint8)
    block = width // 8
    for bit in range(8):
        shade = 235 if number >> bit & 1 else 20
        image[: height // 4, bit * block : (bit + 1) * block] = shade
    return image


def number_in(image: NDArray[np.uint8]) -> int:
    """Return the number that an upright frame of a clip shows."""
    height, width = image.shape[:2]
    block = width // 8
    means = [
        image[2 : height // 4 - 2, bit * block + 2 : (bit + 1) * block - 2].mean()
        for bit in range(8)
    ]
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 128)


def clip(
    codec: str,
    container: str,
    *,
    frames: int = 90,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (96, 64),
    gop: int = 30,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int | None = None,
    draw: Callable[[int, int, int], NDArray[np.uint8]] = picture,
    packet_filter: Callable[[list[av.Packet]], list[av.Packet]] | None = None,
    setup: Callable[[av.VideoStream], None] | None = None,
    prepare: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
) -> bytes:
    """Encode a clip; `pts` are presentation times in units of `time_base` (default 1/rate)."""
    file = io.BytesIO()
    width, height = size
    options = dict(options or {})
    if codec == "libx264":
        # Otherwise one of twenty clips differs a little from the others, in the same process too.
        params = options.get("x264-params")
        options["x264-params"] = f"{params}:cpu-independent=1" if params else "cpu-independent=1"
    with av.open(file, "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        if codec == "mpeg2video":
            # The encoder makes one slice per thread, by default one thread per CPU. With a fixed
            # number, a clip has the same bytes on every machine.
            stream.codec_context.thread_count = 3
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if setup is not None:
            setup(stream)
        packets: list[av.Packet] = []
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number, width, height), format="rgb24")
            if prepare is not None:
                frame = prepare(frame)
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base or 1 / Fraction(rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in packet_filter(packets) if packet_filter else packets:
            output.mux(packet)
    return file.getvalue()


def _vp(codec: str, container: str = "webm") -> bytes:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"}
    return clip(codec, container, options=options)


def _x264(params: str) -> dict[str, str]:
    return {**H264, "x264-params": params}


def _negative_pts(container: str) -> bytes:
    return clip(
        "libx264",
        container,
        options=H264,
        pts=[i - 20 for i in range(90)],
        container_options={"avoid_negative_ts": "disabled"},
    )


def _av1(container: str = "mp4", *, gop: int = 30, params: str = "lp=1") -> bytes:
    os.environ["SVT_LOG"] = "0"  # the encoder would write to stderr
    options = {"preset": "12", "svtav1-params": params}
    return clip("libsvtav1", container, gop=gop, options=options)


def _vp9_layers(**more: str) -> bytes:
    """VP9 in three temporal layers, as calls are recorded."""
    layers = (
        "ts_number_layers=3:ts_target_bitrate=100,200,400:ts_rate_decimator=4,2,1:"
        "ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"
    )
    options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "400k", **more}
    return clip("libvpx-vp9", "webm", options={**options, "ts-parameters": layers})


def _ten_bit() -> bytes:
    return clip("libx265", "mp4", options=H265, pix_fmt="yuv420p10le")


def _temporal_layers() -> bytes:
    params = "log-level=none:pools=1:frame-threads=1:temporal-layers=3:bframes=3"
    return clip("libx265", "mp4", options={"preset": "ultrafast", "x265-params": params})


def _edit_list() -> bytes:
    """An MP4 whose edit list cuts off the first 0.48 s: those frames are not presented."""
    return clip("libx264", "mp4", options=H264, pts=[i - 12 for i in range(90)])


def _late_first_keyframe() -> bytes:
    """An MPEG-TS cut in the middle of a GOP."""
    return clip("libx264", "mpegts", options=H264, packet_filter=lambda packets: packets[10:])


def _open_gop_from_the_middle() -> bytes:
    """HEVC cut at an open GOP's keyframe: its leading frames refer to missing frames."""

    def cut(packets: list[av.Packet]) -> list[av.Packet]:
        keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
        return packets[keys[1] :]

    return clip("libx265", "mpegts", options=H265, packet_filter=cut)


def _repeated_timestamp() -> bytes:
    """A Matroska file whose time base is too coarse for its frame rate."""
    return clip("libx264", "matroska", options=_x264("bframes=0"), rate=1500)


def _truncated_mp4() -> bytes:
    """An MP4 with its index in front, cut in the middle of a packet."""
    with tempfile.TemporaryDirectory() as folder:
        # To move the index to the front, FFmpeg opens the file a second time.
        path = Path(folder) / "clip.mp4"
        original = av.open(io.BytesIO(clip("libx264", "mp4", options=H264)))
        with original, av.open(path, "w", options={"movflags": "faststart"}) as output:
            stream = output.add_stream_from_template(original.streams.video[0])
            for packet in original.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
        data = path.read_bytes()
    return data[: len(data) * 2 // 3]


def damaged(data: bytes, seed: int, size: int = 100) -> bytes:
    """Return the clip with `size` random bytes somewhere in the middle half of its packets."""
    random = np.random.default_rng(seed)
    index = data.find(b"moov")
    end = index if index > 0 else len(data)
    start = int(random.integers(end // 4, end * 3 // 4))
    noise = random.integers(0, 256, size, dtype=np.uint8).tobytes()
    return data[:start] + noise + data[start + size :]


def _missing_packets() -> bytes:
    """MPEG-TS without five packets from the middle."""
    data = clip("libx264", "mpegts", options=H264)
    middle = len(data) // 188 // 2 * 188
    return data[:middle] + data[middle + 188 * 5 :]


FAST: dict[str, Callable[[], bytes]] = {
    "h264 mp4": lambda: clip("libx264", "mp4", options=H264),
    "h264 mkv": lambda: clip("libx264", "matroska", options=H264),
    "h264 flv": lambda: clip("libx264", "flv", options=H264),
    "h264 fragmented": lambda: clip(
        "libx264", "mp4", options=H264, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "h264 without B-frames avi": lambda: clip("libx264", "avi", options=_x264("bframes=0")),
    "h264 29.97": lambda: clip("libx264", "mp4", options=H264, rate=Fraction(30000, 1001)),
    "h264 variable rate": lambda: clip(
        "libx264",
        "mp4",
        options=H264,
        pts=[i * 40 + (i % 3) * 11 + (i > 50) * 2500 for i in range(90)],
        time_base=Fraction(1, 1000),
    ),
    "h264 B-pyramid": lambda: clip(
        "libx264", "mp4", options=_x264("bframes=7:b-pyramid=normal:ref=4:b-adapt=0")
    ),
    "h264 open GOP mp4": lambda: clip(
        "libx264", "mp4", gop=20, options=_x264("open-gop=1:bframes=3:scenecut=0:b-adapt=0")
    ),
    "h264 open GOP ts": lambda: clip(
        "libx264", "mpegts", gop=20, options=_x264("open-gop=1:bframes=3:scenecut=0:b-adapt=0")
    ),
    "h264 open GOP without B-pyramid": lambda: clip(
        "libx264",
        "mpegts",
        gop=20,
        options=_x264("open-gop=1:bframes=3:b-pyramid=none:scenecut=0:b-adapt=0"),
    ),
    "h264 open GOP, forgotten frames": lambda: clip(
        "libx264",
        "mp4",
        gop=20,
        options=_x264("open-gop=1:bframes=7:ref=4:scenecut=0:b-adapt=0"),
    ),
    "h264 intra refresh": lambda: clip(
        "libx264", "mpegts", options=_x264("intra-refresh=1:keyint=20:scenecut=0")
    ),
    "h264 one keyframe": lambda: clip("libx264", "mp4", options=H264, gop=1000),
    "h264 every frame a keyframe": lambda: clip("libx264", "mp4", options=H264, gop=1),
    "h264 ts from 10 s": lambda: clip(
        "libx264", "mpegts", options=H264, pts=[i + 250 for i in range(90)]
    ),
    "h264 edit list": _edit_list,
    "h264 negative pts ts": lambda: _negative_pts("mpegts"),
    "h264 odd size": lambda: clip("libx264", "mp4", options=H264, size=(97, 65), pix_fmt="yuv444p"),
    "h264 turned": lambda: clip("libx264", "mp4", options=H264, rotation=90),
    "h264 one frame": lambda: clip("libx264", "mp4", options=H264, frames=1),
    "h264 interlaced": lambda: clip("libx264", "mpegts", options=_x264("interlaced=1:bframes=2")),
    "h264 interlaced mkv": lambda: clip(
        "libx264", "matroska", gop=20, options=_x264("interlaced=1:bframes=3:open-gop=1")
    ),
    "h264 progressive, marked as interlaced": lambda: clip(
        "libx264", "mp4", options=_x264("fake-interlaced=1:bframes=3")
    ),
    "hevc mp4": lambda: clip("libx265", "mp4", options=H265),
    "hevc mkv": lambda: clip("libx265", "matroska", options=H265),
    "hevc ts": lambda: clip("libx265", "mpegts", options=H265),
    "hevc 10 bit": _ten_bit,
    "hevc temporal layers": _temporal_layers,
    "mpeg2 ts": lambda: clip("mpeg2video", "mpegts", options={"bf": "2"}),
    "mpeg2 ps": lambda: clip("mpeg2video", "vob", options={"bf": "2"}),
    "mpeg2 interlaced": lambda: clip(
        "mpeg2video", "mpegts", options={"bf": "2", "flags": "+ildct+ilme"}
    ),
    "mpeg2 raw": lambda: clip("mpeg2video", "mpeg2video", options={"bf": "2"}),
    "mpeg1 ps": lambda: clip("mpeg1video", "mpeg", options={"bf": "2"}),
    "vp8 webm": lambda: _vp("libvpx"),
    "vp8 ivf": lambda: _vp("libvpx", "ivf"),
    "vp9 webm": lambda: _vp("libvpx-vp9"),
    "vp9 resilient layers": lambda: _vp9_layers(**{"error-resilient": "default"}),
    "vp9 layers": _vp9_layers,
    "h264 truncated mkv": lambda: clip("libx264", "matroska", options=H264)[:5000],
    "av1 mp4": _av1,
    "av1 mkv, one keyframe": lambda: _av1("matroska", gop=90),
    "av1 webm, low delay": lambda: _av1("webm", params="lp=1:pred-struct=1"),
    "av1 ivf, film grain": lambda: _av1("ivf", params="lp=1:film-grain=20"),
    "mpeg4 raw": lambda: clip("mpeg4", "m4v", options={"bf": "2"}),
    "mpeg4 mp4": lambda: clip("mpeg4", "mp4", options={"bf": "2"}),
    "mpeg4 avi": lambda: clip("mpeg4", "avi", options={"bf": "2"}),
    "mpeg4 avi without B-frames": lambda: clip("mpeg4", "avi"),
    "mpeg4 mkv, quarter samples": lambda: clip(
        "mpeg4", "matroska", options={"bf": "2", "flags": "+qpel+mv4", "mpeg_quant": "1"}
    ),
    "mpeg4 ts, video packets": lambda: clip(
        "mpeg4", "mpegts", options={"ps": "200", "data_partitioning": "1"}
    ),
    "mpeg4 interlaced": lambda: clip("mpeg4", "mp4", options={"flags": "+ilme+ildct"}),
    "flv1": lambda: clip("flv", "flv"),
    "wmv1": lambda: clip("wmv1", "asf"),
    "wmv2": lambda: clip("wmv2", "asf"),
    "msmpeg4v2 avi": lambda: clip("msmpeg4v2", "avi"),
    "mjpeg avi": lambda: clip("mjpeg", "avi", pix_fmt="yuvj420p"),
    "mjpeg odd size": lambda: clip("mjpeg", "avi", pix_fmt="yuvj420p", size=(97, 65)),
    "prores mov": lambda: clip("prores_ks", "mov", pix_fmt="yuv422p10le", frames=40),
}
"""Clips with reliable timestamps, of codecs where decoding may start at any keyframe."""

SEQUENTIAL: dict[str, Callable[[], bytes]] = {
    "h264 avi": lambda: clip("libx264", "avi", options=H264),
    "h264 negative pts mkv": lambda: _negative_pts("matroska"),
    "h264 raw": lambda: clip("libx264", "h264", options=H264),
    "hevc raw": lambda: clip("libx265", "hevc", options=H265),
    "h264 from the middle": _late_first_keyframe,
    "h264 repeated timestamps": _repeated_timestamp,
    "h264 lost packets": _missing_packets,
    "h264 truncated mp4": _truncated_mp4,
    "hevc from the middle": _open_gop_from_the_middle,
    "mpeg4 interlaced with B-frames": lambda: clip(
        "mpeg4", "mp4", options={"bf": "2", "flags": "+ilme+ildct"}
    ),
    "msmpeg4v3 avi": lambda: clip("msmpeg4", "avi"),
    "gif": lambda: clip("gif", "gif", pix_fmt="rgb8"),
    "ffv1": lambda: clip("ffv1", "matroska"),
}
"""Clips that are decoded in sequence."""


@functools.cache
def clip_named(name: str) -> bytes:
    """Return a clip of `FAST` or `SEQUENTIAL`."""
    return (FAST | SEQUENTIAL)[name]()
