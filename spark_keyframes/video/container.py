"""Opens bytes as a video container. FFmpeg gets no URL, no file name, and only allowed formats."""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.errors import DecodeError, LimitError, NotAVideoError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.encryption import (
    encrypted,
    raise_if_encrypted,
    raise_if_encrypted_later,
)
from spark_keyframes.video.file_kind import HEAD, kind_of
from spark_keyframes.video.header_parts import TrackHeader, is_mp4
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.scrambling import ScramblingScan, scan_for_scrambling
from spark_keyframes.video.stream_choice import StreamChoice, choose_stream
from spark_keyframes.video.timed_file import read_error
from spark_keyframes.video.track_header import read_track_header

logger = logging.getLogger("spark_keyframes")

# Demuxers that read one file and open nothing else. Playlists (hls, dash, concat), session
# descriptions (sdp, rtsp) and numbered images (image2) would open other files and URLs.
_VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,ivf,"
    "mjpeg,h264,hevc,m4v,vc1,obu,av1,gif,apng,mxf,dv,h263,rm,nut,yuv4mpegpipe"
)
# Audio formats, some with a cover picture: allowed so that the error can name them.
_AUDIO_FORMATS = "mp3,wav,flac,aac"
_ALLOWED = f"{_VIDEO_FORMATS},{_AUDIO_FORMATS}"

_FORMAT_OF_EXTENSION = {
    "mkv": "matroska",
    "ts": "mpegts",
    "m2ts": "mpegts",
    "mpg": "mpeg",
    "vob": "mpeg",
    "wmv": "asf",
    "ogv": "ogg",
    "m4v": "mp4",
    "qt": "mov",
    "y4m": "yuv4mpegpipe",
}

# One read from Python costs about 10 µs, and ranged HTTP reads must not be small.
_BUFFER_SIZE = 256 * 1024

# What was read while a container was opened. FFmpeg reads 5 MB to learn what the streams are.
_MOST_HELD = 8 * 1024 * 1024


class _Reader:
    """The file object that FFmpeg reads. It has no `name`, from which FFmpeg would guess a format.

    In many places, FFmpeg takes an exception for the end of the file. So a failed read always looks
    like the end of the file here, and `error` keeps the exception.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        try:
            self._size = file.seek(0, io.SEEK_END)
            file.seek(0)
        except OSError as error:
            raise read_error(error) from error
        self.error: Exception | None = None
        self._held: list[bytes] | None = []
        self._scans: list[ScramblingScan] = []
        self._known = 0  # bytes from the start of the file that are held, or were scanned

    def scan(self, scans: Sequence[ScramblingScan]) -> None:
        """Pass all bytes to `scans`, from the start of the file, as they are or were read."""
        held, self._held = self._held or [], None
        self._scans = list(scans)
        for data in held:
            self._pass_on(data)
        position = self.tell()
        if scans and self._known < position:  # more was read than may be held
            self.seek(self._known)
            while self._known < position and self.read(_BUFFER_SIZE):
                pass
            self.seek(position)

    def _pass_on(self, data: bytes) -> None:
        for scan in self._scans:
            scan.add(data)

    def _look_at(self, position: int, data: bytes) -> None:
        # FFmpeg reads some parts again, and the end of the file early to learn how long it is.
        if not position <= self._known < position + len(data):
            return
        data = data[self._known - position :]
        if self._held is None:
            self._pass_on(data)
        elif self._known + len(data) > _MOST_HELD:
            return
        else:
            self._held.append(data)
        self._known += len(data)

    def read(self, size: int) -> bytes:
        try:
            position = self.tell()
            data = self._file.read(size)
            if data is None or len(data) > size:
                got = "no data yet" if data is None else f"{len(data)} bytes"
                raise ValueError(f"the file returned {got}, but {size} bytes were requested")
        except Exception as error:  # noqa: BLE001 -- raised again by packets()
            self.error = read_error(error)
            return b""
        data = bytes(data)
        if self._held is not None or self._scans:
            self._look_at(position, data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}
            position = base[whence] + offset
            if not 0 <= position <= self._size:
                # A damaged header names such a position, so this is no failure of the file. FFmpeg
                # expects a negative error number.
                return -errno.EINVAL
            return self._file.seek(position)
        except Exception as error:
            self.error = error
            raise


class VideoContainer:
    """An open container and its video stream."""

    def __init__(
        self,
        container: InputContainer,
        choice: StreamChoice,
        header: TrackHeader,
        reader: _Reader,
        scans: Sequence[ScramblingScan],
    ) -> None:
        self.container = container
        self.choice = choice
        self.stream = choice.stream
        self.crop = header.crop
        self.is_mp4 = is_mp4(container.format.name)
        self._reader = reader
        self._scans = scans
        # These store decoding times only. Of H.264, FFmpeg invents presentation times: the time of
        # the next packet, which may come seconds later, or by the delays that the frames state.
        self._invents_pts = container.format.name in {"avi", "asf"} and (
            self.stream.codec_context.name in {"h264", "hevc"}
        )

    def check_after_reading(self, *, has_packets: bool) -> None:
        """Raise EncryptedVideoError for encryption that shows only once all packets were read."""
        if has_packets:
            raise_if_encrypted_later(self.container, self._reader, self.stream.id)
        for scan in self._scans:
            if sign := scan.sign(has_packets=has_packets):
                raise encrypted(sign)
        if self._reader.error is not None:
            raise self._reader.error

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the stream's packets up to the end or to damage; raise the file's own errors."""
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:  # decoders take an empty packet for the end of the video
                    if self._invents_pts:
                        packet.pts = packet.dts
                    yield packet
        except av.error.FFmpegError as error:
            raise_if_out_of_memory(error)
            logger.info("the container is damaged: %s", redact_text(str(error)))
        except IndexError:
            # PyAV raises this after the last packet if a stream appeared while demuxing.
            logger.debug("the container has streams that its header does not list")
        if self._reader.error is not None:
            raise self._reader.error


@contextmanager
def open_container(
    file: BinaryIO,
    format_hint: str | None = None,
    *,
    limits: Limits = Limits(),
    video_stream: int | None = None,
    empty_streams: Collection[int] = (),
) -> Iterator[VideoContainer]:
    """Open a video from the start of `file`; errors of reading the file are raised as they are.

    Args:
        file: seekable binary file.
        format_hint: container to try if the content does not tell, e.g. "mp4" or "mkv".
        limits: bounds on the size of the frames.
        video_stream: number of the video stream, from 0; None: see `choose_stream`.
        empty_streams: numbers of those that have turned out to hold no packet.

    Raises:
        NotAVideoError: the file is no video in an allowed format.
        NoVideoStreamError: the container holds no video stream, or none of this number.
        EncryptedVideoError: the video stream is encrypted.
        DecodeError: the codec is unknown.
        LimitError: the frames are too large.
    """
    container, reader = _open(file, format_hint, limits)
    with container:
        if reader.error is not None:
            raise reader.error
        choice = choose_stream(container, video_stream, empty=empty_streams)
        stream: VideoStream = choice.stream
        codec: VideoCodecContext | None = stream.codec_context
        header = read_track_header(
            reader, container.format.name, stream_id=stream.id, number=choice.number
        )
        if reader.error is not None:
            raise reader.error
        raise_if_encrypted(container, codec, header)
        if codec is None:
            raise DecodeError(
                "the video's codec is unknown to this FFmpeg; convert it to H.264, for example "
                "with ffmpeg -i in -c:v libx264 out.mp4"
            )
        if codec.width * codec.height > limits.max_pixels:
            raise LimitError(
                f"the frames are too large: {codec.width}×{codec.height}, max_pixels of limits is "
                f"{limits.max_pixels}; raise it, or scale the video down"
            )
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        scan = scan_for_scrambling(container.format.name, stream.id)
        scans = [scan] if scan is not None else []
        reader.scan(scans)
        yield VideoContainer(container, choice, header, reader, scans)


def prepare_codec(codec: VideoCodecContext, *, strict: bool, limits: Limits) -> None:
    """Set up a codec context before its first use; with `strict`, damage is an error."""
    # The options given when opening the container only apply to probing.
    codec.options = _options(limits) | ({"err_detect": "explode"} if strict else {})
    codec.thread_count = 1


def new_codec(stream: VideoStream) -> VideoCodecContext | None:
    """Return another codec context for the stream, for another thread; None if PyAV cannot."""
    try:
        tag = stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return None
    # CodecContext.create() would lose what only the container knows, such as the rotation. A stream
    # to copy, in a file that is never written, keeps all of it except the codec tag, from which
    # some decoders know the pixel format.
    with av.open(io.BytesIO(), "w", format="null") as output:
        codec = output.add_stream_from_template(stream, opaque=True).codec_context
    codec.codec_tag = tag
    return codec


def _options(limits: Limits) -> dict[str, str]:
    # FFmpeg's option is an int32, and FFmpeg refuses larger frames anyway.
    return {"max_pixels": str(min(limits.max_pixels, 2**31 - 1))}


def _open(
    file: BinaryIO, format_hint: str | None, limits: Limits
) -> tuple[InputContainer, _Reader]:
    try:
        return _try_open(file, None, limits)
    except av.error.FFmpegError as error:
        raise_if_out_of_memory(error)
        if isinstance(error, MemoryError):
            # After the header is read, sizes in a damaged file may ask for as much: there, the
            # frames before the damage count.
            raise LimitError(
                "the header of the video asks for more memory than FFmpeg or max_decode_bytes "
                f"of limits, {limits.max_decode_bytes}, allows; it is damaged, or made to exhaust "
                "the memory; get another copy, or raise the limit",
                stage="demux",
            ) from None
        first_error = error
    hint = format_hint.lower().lstrip(".") if format_hint else ""
    hint = _FORMAT_OF_EXTENSION.get(hint, hint)
    # The hint only applies if no format was detected: a detected, forbidden format stays forbidden.
    if isinstance(first_error, av.error.InvalidDataError) and hint in _VIDEO_FORMATS.split(","):
        try:
            return _try_open(file, hint, limits)
        except av.error.FFmpegError:
            pass
    raise NotAVideoError(_describe(file)) from first_error


def _try_open(
    file: BinaryIO, container_format: str | None, limits: Limits
) -> tuple[InputContainer, _Reader]:
    reader = _Reader(file)
    try:
        container = av.open(
            reader,
            "r",
            format=container_format,
            options=_options(limits),
            container_options={"format_whitelist": _ALLOWED, "protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=_BUFFER_SIZE,
        )
    except av.error.FFmpegError:
        if reader.error is not None:
            raise reader.error from None
        raise
    return container, reader


def _describe(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        return "the video is empty: 0 bytes"
    if head[4:8] == b"ftyp":
        return (
            "an MP4 without a usable index (moov): cut short while it was recorded or copied; "
            "get a complete copy"
        )
    if kind := kind_of(head):
        return f"not a video but {kind}"
    return "not in an allowed video format; use e.g. MP4, Matroska, WebM, AVI or MPEG-TS"
