"""The packets of a video, and codec contexts that decode them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.errors import LimitError, NoFramesError, NotAVideoError
from spark_keyframes.limits import Limits
from spark_keyframes.video.card import Card, CardError
from spark_keyframes.video.container import (
    VideoContainer,
    new_codec,
    open_container,
    prepare_codec,
)
from spark_keyframes.video.header_parts import Crop, Span
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.needed_packets import coded_spans, needed_spans, without
from spark_keyframes.video.packet_reader import PacketReader
from spark_keyframes.video.packet_table import PacketTable, Reach
from spark_keyframes.video.packets import read_packets
from spark_keyframes.video.run_pool import THREAD_BYTES
from spark_keyframes.video.window import Window

logger = logging.getLogger("spark_keyframes")

# Frames that a codec holds at most: 16 reference frames, and those in progress.
_FRAMES_PER_THREAD = 20


class PacketSource(Closeable):
    """An open container with its packet table. Without its own number, the stream is chosen once.

    Raises:
        KeyframesError: the file cannot be opened, see `open_video`.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None,
        limits: Limits,
        video_stream: int | None,
        window: Window,
        card: Card | None = None,
    ) -> None:
        self.card = card
        """the GPU that decodes single GOPs; None: the CPU does"""
        self._file = file
        self._format_hint = format_hint
        self._limits = limits
        self._video_stream = video_stream
        self._window = window
        self._hidden: list[Span] = []
        """Coded data that is not read."""
        self._resources = ExitStack()
        try:
            self._opened, self.table = self._read()
            self.stream_choice = self._opened.choice.reason
            """Which video stream this is, and of which; empty if there was no choice."""
            self._video_stream = self._opened.choice.number
        except BaseException:
            self.close()
            raise

    @property
    def stream(self) -> VideoStream:
        """The video stream."""
        return self._opened.stream

    @property
    def crop(self) -> Crop:
        """The crop that the container states."""
        return self._opened.crop

    def begin(self, *, strict: bool) -> tuple[VideoCodecContext, Iterable[Packet[VideoStream]]]:
        """Return a codec context and all packets; with `strict`, damage is an error.

        With `strict` it is one of the card, if that decodes.

        Raises:
            CardError: the card does not decode this codec.
        """
        codec = self.stream.codec_context
        kept, card = self.table.kept, self.card if strict else None
        # An open context keeps its options, and its estimate of the frame order. That does not
        # matter for single GOPs, but decoding in sequence needs a fresh context.
        is_used = codec.is_open and not (strict and "err_detect" in codec.options)
        if kept is None or is_used or (card is not None) != codec.is_hwaccel:
            codec = self._open_on(card)
        if not codec.is_open:
            prepare_codec(codec, strict=strict, limits=self._limits)
        return codec, self._opened.packets() if kept is None else kept

    def _open_on(self, card: Card | None) -> VideoCodecContext:
        """Open the file again, and return a codec context of a card, or of the CPU."""
        if card is None:
            self._opened = self._open()
            return self.stream.codec_context
        try:
            self._opened = self._open(hwaccel=card.hwaccel())
        except (NotAVideoError, LimitError) as error:  # without the card it was opened already
            raise CardError(str(error)) from error
        card.check(self.stream.codec_context)
        return self.stream.codec_context

    def reader(self) -> PacketReader:
        """Return all packets, to be read in parts; use none that was returned before."""
        return PacketReader(self.table.kept, self._read_again)

    def codecs(self, *, strict: bool = True) -> Iterator[VideoCodecContext]:
        """Yield codec contexts without end; none if PyAV cannot copy the stream's."""
        while (codec := new_codec(self.stream)) is not None:
            prepare_codec(codec, strict=strict, limits=self._limits)
            yield codec

    def affordable_threads(self) -> int:
        """Return how many threads fit into the memory limit of the video."""
        codec = self.stream.codec_context
        each = _FRAMES_PER_THREAD * codec.width * codec.height * 3 // 2 + THREAD_BYTES
        return max(1, self._limits.max_decode_bytes * 3 // 4 // each)

    def close(self) -> None:
        """Close the container; the file stays open."""
        self._resources.close()

    def _open(
        self, empty_streams: Collection[int] = (), hwaccel: HWAccel | None = None
    ) -> VideoContainer:
        self._resources.close()
        opening = open_container(
            self._file,
            self._format_hint,
            limits=self._limits,
            video_stream=self._video_stream,
            empty_streams=empty_streams,
            hwaccel=hwaccel,
        )
        opened = self._resources.enter_context(opening)
        opened.hide(self._hidden)
        return opened

    def _read_again(self) -> Iterable[Packet[VideoStream]]:
        self._opened = self._open()
        return self._opened.packets()

    def read_everything(self) -> None:
        """Read all packets, where only those of the window were."""
        self._hidden = []
        self._opened = self._open()
        self.table = self._table_of(self._opened, self._window)
        self._opened.check_after_reading(has_packets=True)

    def _table_of(
        self, opened: VideoContainer, window: Window = Window(), reach: Reach = "all"
    ) -> PacketTable:
        def again() -> Iterator[Packet[VideoStream]]:
            number = opened.choice.number
            with open_container(
                self._file, self._format_hint, limits=self._limits, video_stream=number
            ) as other:
                yield from other.packets()

        return read_packets(opened, self._limits, window, reach=reach, again=again)

    def _read_window(self, opened: VideoContainer) -> tuple[VideoContainer, PacketTable]:
        """Read what the window needs, or everything where that is not certain."""
        limits, window = self._limits, self._window
        if window.is_whole:
            return opened, self._table_of(opened)
        if spans := coded_spans(opened):
            opened.hide(spans)
            table = read_packets(opened, limits, window, reach="times")
            needed = needed_spans(opened, table, window)
            if needed is not None:
                self._hidden = without(spans, needed)
                return opened, table
        elif not opened.is_mp4:
            table = self._table_of(opened, window, "window")
            if table.reach == "all" or not table.sequential_reason:
                return opened, table
        else:
            return opened, self._table_of(opened, window)
        logger.debug("the whole video must be read: %s", table.sequential_reason)
        opened = self._open()
        return opened, self._table_of(opened, window)

    def _read(self) -> tuple[VideoContainer, PacketTable]:
        """Open the first choice among the streams with packets, and read them."""
        empty_streams: Collection[int] = ()
        while True:
            opened = self._open(empty_streams)
            choice = opened.choice
            if choice.number not in empty_streams:
                opened, table = self._read_window(opened)
                opened.check_after_reading(has_packets=len(table) > 0)
                if len(table):
                    return opened, table
            if empty_streams or not choice.reason:
                raise NoFramesError("the video stream is empty: it holds no packet")
            empty_streams = self._open().find_empty_streams()
