"""Codecs: which FFmpeg decodes here, and for which of them only the needed packets."""

from collections.abc import Iterator, Mapping

from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.options import Options
from spark_keyframes.video.packets import SEEKABLE

# FFmpeg's decoders, by what people call them.
_NAMES: Mapping[str, str] = {
    "h264": "H.264",
    "hevc": "HEVC",
    "libdav1d": "AV1",
    "vp9": "VP9",
    "vp8": "VP8",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "mjpeg": "MJPEG",
    "prores": "ProRes",
    "dnxhd": "DNxHD",
    "mpeg4": "MPEG-4 part 2",
    "wmv1": "WMV 7",
    "wmv2": "WMV 8",
    "wmv3": "WMV 9",
    "vc1": "VC-1",
    "flv": "FLV1",
    "vp6f": "VP6",
    "theora": "Theora",
    "vvc": "VVC",
    "gif": "GIF",
}
_COMMON = {"h264", "hevc", "libdav1d", "vp9"}


def check(_: Options) -> Iterator[Finding]:
    """Ask PyAV for each decoder."""
    import av
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    there = []
    for name in _NAMES:
        try:
            Codec(name, "r")
        except UnknownCodecError:
            continue
        there.append(name)
    version = f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
    missing = [_NAMES[name] for name in _COMMON if name not in there]
    if missing:
        yield bad(
            "codecs",
            f"{version} cannot decode {', '.join(sorted(missing))}",
            "install PyAV's own wheel: pip install --force-reinstall --only-binary av av",
        )
    quick = [_NAMES[name] for name in there if name in SEEKABLE]
    slow = [_NAMES[name] for name in there if name not in SEEKABLE]
    yield good("codecs", f"{version}; fast, as most frames are skipped: {', '.join(quick)}")
    if slow:
        yield good("codecs", f"right, but slower, frame by frame: {', '.join(slow)}")
