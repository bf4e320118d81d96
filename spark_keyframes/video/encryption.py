"""Tells whether a video is encrypted, by its container and its packets.

A codec often decodes encrypted packets to grey frames without an error. So a video is refused as
soon as one of its packets is encrypted, before any of them is decoded.
"""

from __future__ import annotations

from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from spark_keyframes.errors import EncryptedVideoError
from spark_keyframes.video.header_parts import SeekableReader, TrackHeader, Window, is_mp4
from spark_keyframes.video.mp4_header import later_encryption

_SAMPLE_AES = b"\xdb\0\0\0"  # the stream type of H.264 in an encrypted HLS segment


def raise_if_encrypted(
    container: InputContainer, codec: VideoCodecContext | None, header: TrackHeader
) -> None:
    """Raise EncryptedVideoError if the container says that the stream is encrypted."""
    if header.encryption:
        raise encrypted(header.encryption)
    if container.format.name == "mpegts" and codec is not None and codec_tag(codec) == _SAMPLE_AES:
        raise encrypted("its stream type is that of HLS SAMPLE-AES")


def raise_if_encrypted_later(
    container: InputContainer, file: SeekableReader, stream_id: int
) -> None:
    """Raise EncryptedVideoError if a later part of the file is encrypted."""
    if not is_mp4(container.format.name):
        return
    with Window(file) as window:
        sign = later_encryption(window, stream_id)
    if sign:
        raise encrypted(f"{sign}, in a later part of the file")


def encrypted(sign: str) -> EncryptedVideoError:
    """Return the error for an encrypted video; `sign` says how that was recognized."""
    return EncryptedVideoError(
        f"the video is encrypted: {sign}; no frame can be decoded without its key: decrypt it "
        "first (an MP4 with ffmpeg -decryption_key KEY -i in.mp4 -c copy out.mp4), or get a copy "
        "without DRM"
    )


def codec_tag(codec: VideoCodecContext) -> bytes:
    """Return the four bytes of the codec tag. PyAV's property fails unless they are ASCII."""
    try:
        return codec.codec_tag.encode("ascii")
    except UnicodeDecodeError as error:
        return error.object
