"""Opens bytes as a video container. FFmpeg gets no URL, no file name, and only allowed formats."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.codec.hwaccel import HWAccel
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
from spark_keyframes.video.file_reader import BUFFER_SIZE, FileReader
from spark_keyframes.video.header_parts import Span, TrackHeader, Window, is_mp4
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.mp4_header import coded_spans
from spark_keyframes.video.scrambling import ScramblingScan, scan_for_scrambling
from spark_keyframes.video.stream_choice import StreamChoice, choose_stream
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


class VideoContainer:
    """An open container and its video stream."""

    def __init__(
        self,
        container: InputContainer,
        choice: StreamChoice,
        header: TrackHeader,
        reader: FileReader,
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

    def coded_spans(self) -> list[Span]:
        """Return where the coded data of an MP4 without fragments is; see mp4_header.py."""
        with Window(self._reader) as window:
            return coded_spans(window)

    def hide(self, spans: Sequence[Span]) -> None:
        """From now on, give FFmpeg zeros in place of these bytes, without reading them."""
        self._reader.hide(spans)

    def read_at(self, start: int, stop: int) -> bytes:
        """Return bytes of the file, hidden or not."""
        return self._reader.read_at(start, stop)

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
        for packet in self._packets_of(self.stream):
            if self._invents_pts:
                packet.pts = packet.dts
            yield packet

    def find_empty_streams(self) -> set[int]:
        """Return the numbers of the video streams without a packet. Reads the file once."""
        videos = self.container.streams.video
        for stream in videos:
            stream.discard = Discard.default
        empty = {stream.index: number for number, stream in enumerate(videos)}
        for packet in self._packets_of(*videos):
            empty.pop(packet.stream.index, None)
            if not empty:
                break
        return set(empty.values())

    def _packets_of(self, *streams: VideoStream) -> Iterator[Packet[VideoStream]]:
        try:
            for packet in self.container.demux(streams):
                if packet.size:  # decoders take an empty packet for the end of the video
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
    hwaccel: HWAccel | None = None,
) -> Iterator[VideoContainer]:
    """Open a video from the start of `file`; errors of reading the file are raised as they are.

    Args:
        file: seekable binary file.
        format_hint: container to try if the content does not tell, e.g. "mp4" or "mkv".
        limits: bounds on the size of the frames.
        video_stream: number of the video stream, from 0; None: see `choose_stream`.
        empty_streams: numbers of those that have turned out to hold no packet.
        hwaccel: what decodes the streams instead of the CPU.

    Raises:
        NotAVideoError: the file is no video in an allowed format.
        NoVideoStreamError: the container holds no video stream, or none of this number.
        EncryptedVideoError: the video stream is encrypted.
        DecodeError: the codec is unknown.
        LimitError: the frames are too large.
    """
    container, reader = _open(file, format_hint, limits, hwaccel)
    with container:
        if reader.error is not None:
            raise reader.error
        choice = choose_stream(container, video_stream, empty=empty_streams)
        stream: VideoStream = choice.stream
        if choice.preferred is not stream:
            # Do not pass over a stream because it is encrypted or too large.
            _header_of(container, choice.preferred, reader)
            _raise_if_too_large(_size_without_limit(file, container, choice.preferred), limits)
        header = _header_of(container, stream, reader)
        if stream.codec_context is None:
            raise DecodeError(
                "the video's codec is unknown to this FFmpeg; convert it to H.264, for example "
                "with ffmpeg -i in -c:v libx264 out.mp4"
            )
        _raise_if_too_large(_size_of(stream), limits)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        ids = {choice.preferred.id, stream.id}
        scans = [scan for n in ids if (scan := scan_for_scrambling(container.format.name, n))]
        reader.scan(scans)
        yield VideoContainer(container, choice, header, reader, scans)


def _header_of(container: InputContainer, stream: VideoStream, reader: FileReader) -> TrackHeader:
    number = container.streams.video.index(stream)
    name = container.format.name
    header = read_track_header(reader, name, stream_id=stream.id, number=number)
    if reader.error is not None:
        raise reader.error
    raise_if_encrypted(container, stream.codec_context, header)
    return header


def _size_of(stream: VideoStream) -> tuple[int, int]:
    codec: VideoCodecContext | None = stream.codec_context
    return (codec.width, codec.height) if codec is not None else (0, 0)


def _size_without_limit(
    file: BinaryIO, container: InputContainer, stream: VideoStream
) -> tuple[int, int]:
    """Return the size of the frames, also if it exceeds `max_pixels`; (0, 0) if unknown.

    FFmpeg often forgets such a size. To learn it, the file is opened again; no frame is decoded.
    """
    if stream.codec_context is None or all(_size_of(stream)):
        return _size_of(stream)
    position = file.tell()
    try:
        options = {"max_pixels": str(2**31 - 1), "skip_frame": "all"}
        again, _ = _try_open(file, container.format.name.partition(",")[0], options)
        with again:
            return next(
                (_size_of(s) for s in again.streams.video if s.index == stream.index), (0, 0)
            )
    except av.error.FFmpegError as error:
        raise_if_out_of_memory(error)
        return 0, 0
    finally:
        file.seek(position)


def _raise_if_too_large(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise LimitError(
            f"the frames are too large: {width}×{height}, max_pixels of limits is "
            f"{limits.max_pixels}; raise it, or scale the video down"
        )


def prepare_codec(codec: VideoCodecContext, *, strict: bool, limits: Limits) -> None:
    """Set up a codec context before its first use; with `strict`, damage is an error."""
    # The options given when opening the container only apply to probing.
    codec.options = _options(limits) | ({"err_detect": "explode"} if strict else {})
    codec.thread_count = 1
    codec.copy_opaque = True  # a frame gets the index of its packet, where packets have one


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
    file: BinaryIO, format_hint: str | None, limits: Limits, hwaccel: HWAccel | None
) -> tuple[InputContainer, FileReader]:
    try:
        return _try_open(file, None, _options(limits), hwaccel)
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
            return _try_open(file, hint, _options(limits), hwaccel)
        except av.error.FFmpegError:
            pass
    raise NotAVideoError(_describe(file)) from first_error


def _try_open(
    file: BinaryIO,
    container_format: str | None,
    options: dict[str, str],
    hwaccel: HWAccel | None = None,
) -> tuple[InputContainer, FileReader]:
    reader = FileReader(file)
    try:
        container = av.open(
            reader,
            "r",
            format=container_format,
            options=options,
            container_options={"format_whitelist": _ALLOWED, "protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=BUFFER_SIZE,
            hwaccel=hwaccel,
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
