"""Reads the frames of a partition of the data source, as record batches of Arrow."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from spark_keyframes.device import task_cpus
from spark_keyframes.errors import KeyframesError
from spark_keyframes.images import encode_image, spark_image
from spark_keyframes.redaction import redact_url
from spark_keyframes.result import Failure
from spark_keyframes.spark.candidates_options import CandidatesOptions
from spark_keyframes.urls import is_local
from spark_keyframes.video import Decoder, RgbFrame, Video, Window, make_decoder, open_source

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger("spark_keyframes")

_BATCH_BYTES = 32 * 2**20
_BATCH_ROWS = 10_000
_FIRST_FRAME_ONLY = Window(0.0, 1e-9)
_ONE_HEADER = frozenset(f".{name}" for name in ("mp4", "m4v", "mov", "qt", "3gp", "3g2", "f4v"))
"""Suffixes of formats whose header tells where each frame is: any part can be read alone."""

Cells = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One of `count` equal parts of a video's duration, by its number from 0."""

    path: str
    number: int = 0
    count: int = 1


def can_be_read_in_parts(path: str) -> bool:
    """Return whether a part of a file can be read without downloading what is before it."""
    return is_local(path) or PurePosixPath(path).suffix.lower() in _ONE_HEADER


def frame_batches(
    parts: Sequence[Part], options: CandidatesOptions, schema: "pa.Schema"
) -> "Iterator[pa.RecordBatch]":
    """Yield the frames of the parts, in order.

    Args:
        parts: the parts of videos to read.
        options: the options of the data source.
        schema: the columns to yield, some of those of the data source in any order.

    Raises:
        KeyframesError: a video fails, with `on_error` "raise"; the message names it.
    """
    rows = _Rows(schema)
    cpus = task_cpus()
    decoding = make_decoder(
        options.decoder,
        cpus,
        limits=options.limits,
        prefetch=cpus > 1,
        video_stream=options.video_stream,
    )
    with decoding as decoder:
        for part in parts:
            for cells in _cells_or_error(part, decoder, options, image="image" in schema.names):
                rows.add(cells)
                if rows.are_due:
                    yield rows.flush()
    if rows.count:
        yield rows.flush()


class _Rows:
    """Collects the rows of one batch."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._schema = schema
        self._reset()

    def _reset(self) -> None:
        self.count = 0
        self._bytes = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}

    def add(self, cells: Cells) -> None:
        """Add a row; columns without a cell are null."""
        self.count += 1
        image = cells.get("image")
        self._bytes += len(image["data"] if isinstance(image, dict) else image or b"")
        for name, column in self._columns.items():
            column.append(cells.get(name))

    @property
    def are_due(self) -> bool:
        """Whether to flush, to bound the memory."""
        return self._bytes >= _BATCH_BYTES or self.count >= _BATCH_ROWS

    def flush(self) -> "pa.RecordBatch":
        """Return the rows added since the last flush."""
        import pyarrow as pa

        arrays = [pa.array(self._columns[field.name], field.type) for field in self._schema]
        self._reset()
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _cells_or_error(
    part: Part, decoder: Decoder, options: CandidatesOptions, *, image: bool
) -> Iterator[Cells]:
    name = redact_url(part.path)
    try:
        yield from _cells(part, decoder, options, image=image)
    except Exception as error:  # noqa: BLE001 - whatever it is, the video must be named
        failure = Failure.of(error, "decode", name)
        if options.on_error == "raise":
            # From None: the cause may show a URL with its signature.
            if isinstance(error, KeyframesError):
                raise error.with_traceback(None) from None
            raise KeyframesError(failure.message, stage=failure.stage) from None
        logger.warning("%s: %s", failure.error, failure.message)
        yield {
            "path": part.path,
            "error": {
                "stage": failure.stage,
                "error": failure.error,
                "message": failure.message,
            },
        }


def _cells(
    part: Part, decoder: Decoder, options: CandidatesOptions, *, image: bool
) -> Iterator[Cells]:
    window = _window_of(part, decoder, options)
    if window is None:
        return
    with _opened(part.path, decoder, options, window) as (name, video):
        frames = (
            video.candidates(options.fps, hold=False)
            if image
            else video.candidate_times(options.fps)
        )
        for frame in frames:
            cells: Cells = {
                "path": part.path,
                "frame_id": frame.frame_id,
                "timestamp": frame.timestamp,
                "is_keyframe_packet": frame.is_keyframe_packet,
            }
            if isinstance(frame, RgbFrame):
                cells["image"] = (
                    spark_image(frame.rgb, origin=name)
                    if options.images == "arrays"
                    else encode_image(frame.rgb, options.img_type)
                )
            yield cells


def _window_of(part: Part, decoder: Decoder, options: CandidatesOptions) -> Window | None:
    """Return when a part begins and ends, or None if it has no frames.

    All parts of a video divide the same duration, so no frame is in two of them or in none.
    """
    if part.count == 1:
        return Window()
    # Where a header has all frames, opening a short window reads little more than the header.
    has_header = PurePosixPath(part.path).suffix.lower() in _ONE_HEADER
    window = _FIRST_FRAME_ONLY if has_header else Window()
    with _opened(part.path, decoder, options, window) as (_, video):
        duration = video.duration
    if duration is None:  # decoding tells it, from the start on: the first part reads all
        return Window() if part.number == 0 else None
    start, end = (duration * number / part.count for number in (part.number, part.number + 1))
    return Window(start, math.inf if part.number == part.count - 1 else end)


@contextmanager
def _opened(
    path: str, decoder: Decoder, options: CandidatesOptions, window: Window
) -> Iterator[tuple[str, Video]]:
    """Open a part of a video; yield its name for messages, and the video."""
    opening = open_source(path, access=options.access, limits=options.limits, whole=window.is_whole)
    with opening as source, decoder.open(source.file, window=window) as video:
        yield source.name, video
