"""Reads a table once without its images: the totals of all rows, and the cards of the first."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spark_keyframes.html import VideoCard
from spark_keyframes.html.results import frames_of, null
from spark_keyframes.html.rows import cards_of_row
from spark_keyframes.html.words import time_words
from spark_keyframes.redaction import redact_url
from spark_keyframes.report.shape import KEYFRAMES, TIMES, Shape
from spark_keyframes.report.tables import Row, TableRows
from spark_keyframes.report.totals import Totals, seconds_of

_FRAME_LISTS = {"frame_id": "frame_ids", "score": "scores", "tos_path": "tos_paths"}


@dataclass
class Video:
    """A card of the gallery, with what it takes to find its images.

    Until its images are read, `source` of a picture is the URL of the stored image.
    """

    card: VideoCard
    key: bytes
    """of its row in the table"""
    url: str | None
    """where the video is, as the table says"""
    stream: int | None
    """of the video, as an index says"""
    kind: str = ""
    """of its failure: stage and error"""


@dataclass
class _Group:
    """The rows per keyframe of a video and a text."""

    video: bytes
    """the same for all texts of a video"""
    row: dict[str, Any]
    frames: list[Row] = field(default_factory=list)


def gather(rows: TableRows, shape: Shape, totals: Totals, most: int) -> list[Video]:
    """Return the first `most` cards of a table, and add all of its rows to the totals."""
    if shape.frame:
        return _per_frame(rows, shape, totals, most)
    videos: list[Video] = []
    for number, row in enumerate(rows.rows(shape.light)):
        _count(row, shape, totals)
        totals.add_texts(_texts(row, shape))
        results = _of(row, shape.columns.keyframes)
        results = [results] if isinstance(results, Mapping) else results or []
        totals.done += not null(_of(row, shape.columns.keyframes)) and not _failed(row, shape)
        for each in results:
            if each is not None:
                totals.keyframes += len(frames_of(each))
                totals.stored += len(each["tos_paths"] or ())
        if len(videos) < most:
            totals.shown += 1
            videos += _videos(row, shape, number, key_of(row, shape))[: most - len(videos)]
    return videos


def key_of(row: Row, shape: Shape) -> bytes:
    """Return what is equal for equal rows, and of rows per keyframe for those of a video and text.

    Equal rows have equal images.
    """
    return _hash(row, (*shape.named, shape.account, shape.info) if shape.frame else shape.light)


def _hash(row: Row, names: Sequence[str | None]) -> bytes:
    values = repr([row.get(name) for name in names if name])
    return hashlib.blake2b(values.encode("utf-8", "replace"), digest_size=16).digest()


def _per_frame(rows: TableRows, shape: Shape, totals: Totals, most: int) -> list[Video]:
    groups: dict[bytes, _Group] = {}
    done: dict[bytes, bool] = {}
    keys: set[bytes] = set()
    # The rows of each text repeat what their video has once, such as its account.
    of_video = [each for each in shape.named if each not in (shape.columns.text, "text_index")]
    for row in rows.rows(shape.light):
        key, video = key_of(row, shape), _hash(row, [*of_video, shape.account, shape.info])
        if video not in done:
            done[video] = False
            _count(row, shape, totals)
        if key not in keys:
            keys.add(key)
            totals.add_texts(_texts(row, shape))
            if len(groups) < most:
                names = [*shape.named, shape.info]
                groups[key] = _Group(video, {name: row.get(name) for name in names if name})
        if not null(row.get("frame_id")):
            done[video] = True
            totals.keyframes += 1
            totals.stored += row.get("tos_path") is not None
            if key in groups:
                groups[key].frames.append(row)
    totals.done += sum(done.values())
    totals.shown += len({group.video for group in groups.values()})
    return [
        video
        for number, (key, group) in enumerate(groups.items())
        for video in _videos(_joined(group), shape, number, key)
    ]


def _joined(group: _Group) -> dict[str, Any]:
    """Return rows per keyframe as a row per video."""
    frames = sorted(group.frames, key=_frame_id)
    lists = {listed: [row.get(name) for row in frames] for name, listed in _FRAME_LISTS.items()}
    return {
        **group.row,
        KEYFRAMES: lists if frames else None,
        TIMES: [row.get("timestamp") for row in frames],
    }


def _frame_id(row: Row) -> int:
    number: int = row["frame_id"]
    return number


def _videos(row: Row, shape: Shape, number: int, key: bytes) -> list[Video]:
    """Return the cards of a row: one for each of its texts."""
    columns = replace(shape.columns, images=None)
    # A stored image is read only where the card shows it: its URL stands for it until then.
    cards = cards_of_row(row, columns, number=number, source_of=lambda url: url)
    if window := _window_words(*_window(row, shape)):
        cards = [replace(card, title=f"{card.title}, {window}") for card in cards]
    url, error = _of(row, columns.video), _of(row, columns.error) or {}
    stream = _of(_of(row, shape.info) or {}, "video_stream")
    return [
        Video(
            card=card,
            key=key,
            url=url if isinstance(url, str) else None,
            stream=stream,
            kind=f"{error['stage']} {error['error']}" if error else "",
        )
        for card in cards
    ]


def _count(row: Row, shape: Shape, totals: Totals) -> None:
    """Add a video to the totals, without its keyframes."""
    columns = shape.columns
    totals.videos += 1
    if _failed(row, shape):
        video = _of(row, columns.video)
        totals.add_failure(_of(row, columns.error), redact_url(str(video)) if video else "")
    account, made_by = _of(row, shape.account), _of(row, columns.made_by)
    totals.add_account(account)
    totals.add_question(made_by)
    totals.add_seconds(
        seconds_of(
            info=_of(row, shape.info),
            curve=_of(row, columns.curve),
            account=account,
            made_by=made_by,
            window=_window(row, shape),
        )
    )


def _failed(row: Row, shape: Shape) -> bool:
    return _of(row, shape.columns.error) is not None


def _texts(row: Row, shape: Shape) -> list[str]:
    texts = _of(row, shape.columns.text)
    if texts is None:
        texts = (_of(row, shape.columns.made_by) or {}).get("text")
    if isinstance(texts, str):
        return [texts]
    return [] if texts is None else [each for each in texts if isinstance(each, str)]


def _window(row: Row, shape: Shape) -> tuple[float | None, float | None]:
    start, end = (_of(row, name) for name in (shape.start, shape.end))
    return (None if start is None else float(start)), (None if end is None else float(end))


def _window_words(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    return f"{time_words(start or 0.0)} – {time_words(end) if end is not None else 'end'}"


def _of(row: Row, name: str | None) -> Any:
    value = None if name is None else row.get(name)
    return None if null(value) else value
