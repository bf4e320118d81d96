"""Rows of a result table as cards."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from spark_keyframes.errors import KeyframesError
from spark_keyframes.html.cards import Curve, Picture, VideoCard
from spark_keyframes.html.row_columns import RowColumns
from spark_keyframes.html.thumbnail import thumbnail
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.storage import Access, open_url

SourceOf = Callable[[str], str]
"""From the URL of a stored image to what shows it: a data: URL, or an address.

It raises KeyframesError, with the reason for the placeholder.
"""


def cards_of_row(
    row: Mapping[str, Any],
    columns: RowColumns,
    *,
    number: int = 0,
    source_of: SourceOf | None = None,
) -> list[VideoCard]:
    """Return the cards of a row of a result table: one for each of its texts.

    Images come from the table, else from `tos_paths` through the storage, else there is a
    placeholder that says why.

    Args:
        row: the values by the names of columns, with dicts for structs and lists or arrays of numpy
            for arrays, as from `Row.asDict(recursive=True)`, pandas or Parquet.
        columns: the names.
        number: of the row, from 0, for the title of a video that has no name.
        source_of: reads stored images; by default `stored_thumbnail`.
    """
    source_of = source_of or stored_thumbnail
    title = _title(_of(row, columns.video), number)
    error, made_by = _of(row, columns.error), _of(row, columns.made_by) or {}
    texts = _of(row, columns.text)
    if texts is None:
        texts = made_by.get("text")
    failure = None if error is None else _failure(error)
    result = _of(row, columns.keyframes)
    if failure is not None or result is None:
        text = texts if texts is None or isinstance(texts, str) else ", ".join(filter(None, texts))
        note = "There is no result: the video or the text is null, or the video failed."
        return [VideoCard(title=title, text=text, failure=failure, note=note)]
    images = _Images(_of(row, columns.images), source_of)
    times, curves = _of(row, columns.timestamps), _of(row, columns.curve)
    if isinstance(result, Mapping):
        result, texts, times, curves = [result], [texts], [times], [curves]
    else:
        images = images.by_frame(result)
    count = len(result)
    return [
        _card(title, *each, images=images)
        for each in zip(
            _padded(texts, count),
            result,
            _padded(times, count),
            _padded(curves, count),
            strict=True,
        )
    ]


def stored_thumbnail(url: str, *, access: Access = Access()) -> str:
    """Return a stored image as a data: URL of a small JPEG.

    Raises:
        KeyframesError: it cannot be read, or is no image.
    """
    with closing(open_url(url, access=access)) as file:
        return thumbnail(file.read())


def null(value: Any) -> bool:
    """Return whether a value is null: None, or what pandas puts in its place."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


class _Images:
    """The images of a row, which are in the table, stored, or nowhere."""

    def __init__(self, column: Any, source_of: SourceOf) -> None:
        self._images = list(column) if column is not None else None
        self._source_of = source_of
        self._frames: dict[int, Any] | None = None

    def by_frame(self, results: Sequence[Any]) -> "_Images":
        """Return them for several texts, of which they are the union by frame id, ascending."""
        chosen = (one["frame_ids"] for one in results if not null(one))
        frames = sorted({int(each) for each in itertools.chain.from_iterable(chosen)})
        if self._images is not None and len(frames) == len(self._images):
            self._frames = dict(zip(frames, self._images, strict=True))
        return self

    def picture(self, index: int, frame_id: int, path: str | None) -> tuple[str | None, str]:
        """Return the source of an image, or None and the reason."""
        image = None
        if self._frames is not None:
            image = self._frames.get(frame_id)
        elif self._images is not None and index < len(self._images):
            image = self._images[index]
        try:
            if not null(image):
                return thumbnail(image), ""
            if path:
                return self._source_of(path), ""
        except KeyframesError as error:
            return None, redact_text(str(error))
        return None, "the table has no images, and none were stored"


def _card(
    title: str, text: str | None, result: Any, times: Any, curve: Any, *, images: _Images
) -> VideoCard:
    if null(result):
        return VideoCard(title=title, text=text, note="There is no result: the text is null.")
    frames, scores = list(result["frame_ids"]), list(result["scores"])
    paths = _padded(result.get("tos_paths"), len(frames))
    seconds = _padded(times, len(frames))
    pictures = []
    for index, (frame, score, at) in enumerate(zip(frames, scores, seconds, strict=True)):
        source, missing = images.picture(index, int(frame), paths[index])
        pictures.append(
            Picture(
                frame_id=int(frame),
                seconds=None if null(at) else float(at),
                score=None if score is None else float(score),
                source=source,
                missing=missing,
            )
        )
    return VideoCard(
        title=title,
        text=None if null(text) else text,
        pictures=pictures,
        curve=None if null(curve) else _curve(curve),
    )


def _curve(cell: Mapping[str, Any]) -> Curve:
    numbers = (np.asarray(cell[name], np.float64).tolist() for name in ("timestamps", "scores"))
    seconds, scores = numbers
    return Curve(seconds=seconds, scores=scores)


def _padded(values: Any, count: int) -> list[Any]:
    """Return so many values: a single text for all, and None where there are not as many."""
    if isinstance(values, str):
        return [values] * count
    return [None] * count if values is None or len(values) != count else list(values)


def _of(row: Mapping[str, Any], name: str | None) -> Any:
    value = None if name is None else row.get(name)
    return None if null(value) else value


def _title(video: Any, number: int) -> str:
    return redact_url(video) if isinstance(video, str) and video else f"Video {number + 1}"


def _failure(error: Any) -> str:
    if not isinstance(error, Mapping):
        return redact_text(str(error))
    parts = (error.get(name) for name in ("stage", "error", "message"))
    return redact_text(": ".join(str(part) for part in parts if not null(part)))
