"""Decoding by a GPU (NVDEC), through PyAV: FFmpeg's hardware acceleration "cuda".

The card decodes the packets that the CPU would decode. Decoded pictures stay in its memory; those
that are wanted are copied to the host, where they are converted as those of the CPU are. It decodes
codecs only whose standard says exactly which pixels a decoder returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter

from spark_keyframes.errors import AcceleratorError
from spark_keyframes.redaction import redact_text

_EXACT = ("h264", "hevc", "vp8", "vp9")
# A grey picture of 128×128 pixels: parameter sets and an IDR slice, by x264.
_SAMPLE = bytes.fromhex(
    "00000001674d400bdc204684000003000400000300c83c50ae0000000168ee0392c80000000165"
    "88843ff11ad5334f960d2e4244ddc9fc7a941de014c1d796fd81"
)

# What the card returns of 4:2:0 with 8 and with 10 bits, and what the CPU returns of the same.
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}


class CardError(Exception):
    """The card does not decode this video, or not without a doubt; the CPU decodes it anew."""


@contextmanager
def refusing() -> Iterator[None]:
    """Leave a video to the CPU if the card has failed meanwhile."""
    try:
        yield
    except AcceleratorError as error:
        raise CardError(str(error)) from error


class Card:
    """A GPU that decodes.

    Args:
        number: of the GPU, among those that CUDA shows.

    Raises:
        AcceleratorError: there is no such GPU, or it cannot decode.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._reformatter = VideoReformatter()
        if "cuda" not in hwdevices_available():
            raise AcceleratorError(
                "this PyAV was built without CUDA, so that no GPU decodes; install the wheel of "
                'PyPI, or use decoder="process"'
            )
        try:
            # Kept: the card's state would be set up for each video otherwise, in 0.2 s and more.
            self._kept = av.CodecContext.create("h264", "r", self.hwaccel())
            decoded = decode_sample(self._kept)
        except (av.error.FFmpegError, RuntimeError) as error:
            said = f"FFmpeg cannot set it up: {redact_text(str(error))}"
            raise self._does_not_decode(said) from error
        if decoded.sw_format is None:
            raise self._does_not_decode("the driver lacks NVDEC, and FFmpeg decoded on the CPU")

    def _does_not_decode(self, reason: str) -> AcceleratorError:
        return AcceleratorError(
            f"GPU {self._number} does not decode videos: {reason}; "
            'decoder="gpu" needs an NVIDIA GPU with its driver (libcuda.so.1, libnvcuvid.so.1; in '
            "containers NVIDIA_DRIVER_CAPABILITIES=compute,utility,video); use "
            'decoder="auto" or "process"'
        )

    def hwaccel(self) -> HWAccel:
        """Return what PyAV needs to open a video for this card."""
        return HWAccel("cuda", str(self._number), is_hw_owned=True)

    def check(self, codec: VideoCodecContext) -> None:
        """Raise CardError unless the card decodes what this codec context is for."""
        if not codec.is_hwaccel or codec.name not in _EXACT:
            raise CardError(f"it does not decode {codec.name}")

    def in_memory(self, picture: av.VideoFrame, codec: VideoCodecContext) -> av.VideoFrame:
        """Return a picture that `codec` decoded in host memory, in the format of the CPU's.

        Raises:
            CardError: the card did not decode it, or into another format.
        """
        if picture.sw_format is None:
            raise CardError(f"it does not decode {picture.format.name} of this size")
        if (picture.width, picture.height) != (codec.width, codec.height):
            # FFmpeg cuts pictures of a card at the right and at the bottom only.
            raise CardError("it does not crop pictures as this video says")
        if picture.width % 2 or picture.height % 2:
            raise CardError("it does not copy the last row or column of chroma")
        try:
            downloaded = picture.reformat(format=picture.sw_format.name, threads=1)
            return as_planar(downloaded, self._reformatter)
        except av.error.FFmpegError as error:
            raise CardError(redact_text(str(error))) from error


def decode_sample(codec: VideoCodecContext) -> av.VideoFrame:
    """Decode the sample, a grey picture.

    Raises:
        RuntimeError: there is no picture.
    """
    for packet in (av.Packet(_SAMPLE), None):
        for picture in codec.decode(packet):
            return picture
    raise RuntimeError("it returned no picture")


def as_planar(picture: av.VideoFrame, reformatter: VideoReformatter) -> av.VideoFrame:
    """Return a picture whose chroma is interleaved, as NVDEC's, as one with planes.

    Args:
        picture: in host memory.
        reformatter: used for such pictures only, because it keeps what it has set up.

    Raises:
        CardError: it is in another format.
    """
    planar = _PLANAR.get(picture.format.name)
    if planar is None:
        raise CardError(f"it returns pictures in {picture.format.name}")
    if planar == "yuv420p" and picture.color_range == ColorRange.JPEG:
        planar = "yuvj420p"
    return reformatter.reformat(picture, format=planar, threads=1)
