"""A result as a card: times, scores, and images from wherever they are."""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from spark_keyframes.errors import KeyframesError
from spark_keyframes.html.cards import Curve, Picture, VideoCard
from spark_keyframes.html.thumbnail import thumbnail
from spark_keyframes.redaction import redact_text
from spark_keyframes.storage import Access, open_url

SourceOf = Callable[[str], str]
"""From the URL of a stored image to what shows it: a data: URL, or an address.

It raises KeyframesError, with the reason for the placeholder.
"""


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


class Images:
    """The images of a result, which are at hand, stored, or nowhere.

    Args:
        given: in the order of the keyframes, in any form that `thumbnail` takes; None or empty:
            there are none.
        source_of: reads stored ones; None: `stored_thumbnail`.
        missing: the reason for the placeholder where an image is neither given nor stored.
    """

    def __init__(
        self,
        given: Sequence[Any] | None,
        source_of: SourceOf | None = None,
        missing: str = "the table has no images, and none were stored",
    ) -> None:
        self._images = None if given is None else list(given)
        self._source_of = source_of or stored_thumbnail
        self._missing = missing
        self._frames: dict[int, Any] | None = None

    def by_frame(self, results: Sequence[Any]) -> "Images":
        """Return them for several texts, of which they are the union by frame id, ascending."""
        frames = sorted({frame for one in results for _, frame in frames_of(one)})
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
        return None, self._missing


def card_of_result(
    title: str,
    text: str | None,
    result: Any,
    *,
    seconds: Any = None,
    curve: Curve | None = None,
    images: Images,
    **more: Any,
) -> VideoCard:
    """Return the card of one result.

    Args:
        title: name of the video, without credentials.
        text: that the frames were compared with.
        result: a mapping with `frame_ids`, `scores` and, if any, `tos_paths`; null: there is none.
        seconds: of each keyframe; None: not known.
        curve: of all candidates.
        images: of the keyframes.
        **more: other fields of `VideoCard`.
    """
    if null(result):
        return VideoCard(title=title, text=text, note="There is no result: the text is null.")
    count = 0 if null(result["frame_ids"]) else len(result["frame_ids"])
    scores, paths, times = (
        padded(each, count) for each in (result.get("scores"), result.get("tos_paths"), seconds)
    )
    pictures = []
    for index, frame in frames_of(result):
        source, missing = images.picture(index, frame, paths[index])
        score, at = scores[index], times[index]
        pictures.append(
            Picture(
                frame_id=frame,
                seconds=None if null(at) else float(at),
                score=None if score is None else float(score),
                source=source,
                missing=missing,
            )
        )
    return VideoCard(title=title, text=text, pictures=pictures, curve=curve, **more)


def frames_of(result: Any) -> list[tuple[int, int]]:
    """Return the place and the number of each frame of a result.

    A table that is not ours may have null for the result, for its list, or in the list: these are
    no frames.
    """
    frames: Any = None if null(result) else result["frame_ids"]
    if null(frames):
        return []
    return [(place, int(each)) for place, each in enumerate(frames) if not null(each)]


def padded(values: Any, count: int) -> list[Any]:
    """Return so many values: a single text for all, and None where there are not as many."""
    if isinstance(values, str):
        return [values] * count
    return [None] * count if values is None or len(values) != count else list(values)
