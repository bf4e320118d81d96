"""Chooses which keyframes have a small image, and finds the images: in the table, in storage, in
the videos."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spark_keyframes.errors import KeyframesError
from spark_keyframes.html import Picture, thumbnail
from spark_keyframes.html.results import frames_of, null
from spark_keyframes.report.gather import Video, key_of
from spark_keyframes.report.options import ReportOptions
from spark_keyframes.report.shape import Shape
from spark_keyframes.report.stored_images import StoredImages
from spark_keyframes.report.tables import Row, TableRows

_LONGEST = 90  # characters of a reason in a placeholder
_NOT_STORED = "not stored"
_NOT_OPENED = "the table does not say where the video is"
_CHANGED = "the video has changed since it was sampled: sample it again"

Source = str | KeyframesError
"""A data: URL, or why there is none."""

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Yields what it is given, and shows how far it is: the number of all, and what they are."""


@dataclass(frozen=True)
class Place:
    """A picture of a card."""

    video: int
    """number of the card"""
    picture: int
    """number of the picture in the card"""


@dataclass
class Pictures:
    """The images of the pictures that were chosen."""

    chosen: list[Place]
    found: dict[Place, str] = field(default_factory=dict)
    """data: URLs"""
    missing: dict[Place, KeyframesError] = field(default_factory=dict)
    """why there is none; the others were not stored"""

    @property
    def open(self) -> list[Place]:
        """The pictures of which no image was found yet."""
        return [place for place in self.chosen if place not in self.found]

    def put(self, place: Place, source: Source) -> None:
        """Keep an image, or why there is none."""
        if isinstance(source, str):
            self.found[place] = source
            self.missing.pop(place, None)
        else:
            self.missing[place] = source

    @property
    def not_stored(self) -> int:
        """How many pictures have no image because nobody stored one."""
        return sum(place not in self.missing for place in self.open)

    @property
    def reasons(self) -> list[tuple[int, KeyframesError]]:
        """How many of the others have none for each kind of error, with the first, most first."""
        kinds: dict[str, list[KeyframesError]] = defaultdict(list)
        for place in self.open:
            if (error := self.missing.get(place)) is not None:
                kinds[type(error).__name__].append(error)
        return sorted(((len(each), each[0]) for each in kinds.values()), key=lambda each: -each[0])

    def cards(self, videos: Sequence[Video]) -> list[Video]:
        """Return the cards with these images; pictures that were not chosen are listed."""
        chosen = set(self.chosen)
        made = []
        for number, video in enumerate(videos):
            shown: list[Picture] = []
            more: list[Picture] = []
            for index, picture in enumerate(video.card.pictures):
                place = Place(number, index)
                if place not in chosen:
                    more.append(replace(picture, source=None))
                    continue
                reason = _short(str(self.missing.get(place, _NOT_STORED)))
                source = self.found.get(place)
                shown.append(replace(picture, source=source, missing="" if source else reason))
            made.append(replace(video, card=replace(video.card, pictures=shown, more=more)))
        return made


def choose(videos: Sequence[Video], most: int) -> list[Place]:
    """Return the pictures that have an image: of each video its best, and about equally many.

    Args:
        videos: the cards.
        most: of all pictures together.
    """
    counts = [len(video.card.pictures) for video in videos]
    each = _share(counts, most)
    places = []
    for number, video in enumerate(videos):
        best = sorted(range(counts[number]), key=lambda at: _rank(video.card.pictures[at]))
        places += [Place(number, at) for at in sorted(best[:each])]
    return places[:most]


def _share(counts: Sequence[int], most: int) -> int:
    """Return how many each may have, so that all together have no more than `most`."""
    each = max(counts, default=0)
    if sum(counts) <= most:
        return each
    low, high = 0, each
    while high - low > 1:
        middle = (low + high) // 2
        if sum(min(count, middle) for count in counts) <= most:
            low = middle
        else:
            high = middle
    return max(low, 1)


def _rank(picture: Picture) -> tuple[float, int]:
    """Order pictures: the best first, and those without a score last."""
    score = picture.score
    known = score is not None and score == score  # noqa: PLR0124 - not NaN
    return (-score if known and score is not None else float("inf")), picture.frame_id


def from_table(
    rows: TableRows, shape: Shape, videos: Sequence[Video], pictures: Pictures, height: int
) -> None:
    """Find images in a table's column of images.

    Args:
        rows: the table, which is read until all wanted rows were there.
        shape: where its columns are.
        videos: all cards; those whose key no row has are of another table.
        pictures: where the images are put.
        height: of the small images.
    """
    if shape.images is None:
        return
    wanted: dict[bytes, list[Place]] = defaultdict(list)
    for place in pictures.open:
        wanted[videos[place.video].key].append(place)
    for row in rows.rows([*shape.light, shape.images], large=True):
        if not wanted:
            return
        key = key_of(row, shape)
        if key not in wanted:
            continue
        images = _images_of(row, shape)
        left = []
        for place in wanted[key]:
            image = images.get(videos[place.video].card.pictures[place.picture].frame_id)
            if null(image):
                left.append(place)
            else:
                pictures.put(place, _small(image, height))
        # The rows per keyframe of a video follow each other.
        if left and shape.frame:
            wanted[key] = left
        else:
            del wanted[key]


def _images_of(row: Row, shape: Shape) -> dict[int, Any]:
    """Return the images of a row by the numbers of their frames."""
    cell = row.get(shape.images or "")
    if cell is None or null(cell):
        return {}
    if shape.frame:
        frame = row.get("frame_id")
        return {} if null(frame) else {int(frame): cell}  # type: ignore[arg-type]
    results = row.get(shape.columns.keyframes)
    results = [results] if isinstance(results, Mapping) else results or []
    # For several texts the images are those of the union of their frames.
    frames = sorted({frame for one in results for _, frame in frames_of(one)})
    return dict(zip(frames, cell, strict=True)) if len(frames) == len(cell) else {}


def from_storage(
    videos: Sequence[Video], pictures: Pictures, options: ReportOptions, progress: Progress
) -> None:
    """Find images that were stored, by their URLs in the table."""
    urls: dict[str, list[Place]] = defaultdict(list)
    for place in pictures.open:
        url = videos[place.video].card.pictures[place.picture].source
        if url:
            urls[url].append(place)
    stored = StoredImages(options.thumbnail_height, options.access, options.limits)
    for url, source in progress(stored.read(urls), len(urls), "stored images"):
        for place in urls[url]:
            pictures.put(place, source)


def from_videos(
    videos: Sequence[Video], pictures: Pictures, options: ReportOptions, progress: Progress
) -> None:
    """Decode frames that have no image yet, from the videos."""
    from spark_keyframes.jobs.frames_of_video import frames_of_video

    of_video: dict[tuple[str, int | None], list[Place]] = defaultdict(list)
    for place in pictures.open:
        video = videos[place.video]
        if video.url is None:
            pictures.put(place, KeyframesError(_NOT_OPENED))
        else:
            stream = options.video_stream if video.stream is None else video.stream
            of_video[video.url, stream].append(place)
    for (url, stream), places in progress(of_video.items(), len(of_video), "videos opened"):
        frames: dict[tuple[int, float | None], list[Place]] = defaultdict(list)
        for place in places:
            picture = videos[place.video].card.pictures[place.picture]
            frames[picture.frame_id, picture.seconds].append(place)
        try:
            for _, wanted, frame in frames_of_video(
                url,
                frames,
                changed=_CHANGED,
                video_stream=stream,
                access=options.access,
                limits=options.limits,
            ):
                source: Source
                if isinstance(frame, KeyframesError):
                    source = frame
                else:
                    source = _small(frame, options.thumbnail_height)
                for place in frames.pop(wanted):
                    pictures.put(place, source)
        except KeyframesError as error:
            for place in (place for left in frames.values() for place in left):
                pictures.put(place, error)


def _small(image: Any, height: int) -> Source:
    try:
        return thumbnail(image, height, webp=True)
    except KeyframesError as error:
        return error


def _short(reason: str) -> str:
    """Return a reason up to its remedy, as a placeholder has room for."""
    short = reason.split(";", maxsplit=1)[0]
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST - 1]}…"
