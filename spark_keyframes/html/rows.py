"""Rows of a result table as cards."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spark_keyframes.html.cards import Curve, VideoCard
from spark_keyframes.html.results import Images, SourceOf, card_of_result, null, padded
from spark_keyframes.html.row_columns import RowColumns
from spark_keyframes.html.words import counted
from spark_keyframes.redaction import redact_text, redact_url


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
        source_of: reads stored images; by default `stored_thumbnail` of html.results.
    """
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
    images = Images(_of(row, columns.images), source_of)
    times, curves = _of(row, columns.timestamps), _of(row, columns.curve)
    if isinstance(result, Mapping):
        result, texts, times, curves = [result], [texts], [times], [curves]
    else:
        images = images.by_frame(result)
    count = len(result)
    return [
        card_of_result(
            title,
            None if null(text) else text,
            one,
            seconds=at,
            images=images,
            **_curve(curve),
        )
        for one, text, at, curve in zip(
            result,
            padded(texts, count),
            padded(times, count),
            padded(curves, count),
            strict=True,
        )
    ]


def _curve(cell: Any) -> dict[str, Any]:
    """Return the field of a card that has the curve, or a note that says what is wrong with it."""
    lists = [] if null(cell) else [cell[name] for name in ("timestamps", "scores")]
    if not lists or any(map(null, lists)):
        return {}
    seconds, scores = (np.asarray(each, np.float64).tolist() for each in lists)
    if len(seconds) != len(scores):
        counts = f"{counted(len(seconds), 'time')} and {counted(len(scores), 'score')}"
        return {"note": f"There is no curve: it has {counts}, and needs one for each."}
    return {"curve": Curve(seconds=seconds, scores=scores)}


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
