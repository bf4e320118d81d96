"""The moments that a search found, and how they are printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from spark_keyframes.errors import KeyframesError
from spark_keyframes.redaction import redact_text, redact_url

_LONGEST = 60  # characters of a video's name


@dataclass(frozen=True)
class Moment:
    """A frame of a video that matches a text."""

    text: str
    rank: int
    """among the moments of its text, from 1"""
    score: float
    timestamp: float
    """seconds from the start of the video"""
    frame_id: int
    video: str | None
    """path or URL; None: the index does not have it"""
    video_stream: int | None
    """that was indexed"""
    folder: str
    """for its image, below the folder of all; "" for none"""


def moment_lines(
    moments: Sequence[Moment],
    texts: Sequence[str],
    images: Mapping[Moment, str | KeyframesError],
) -> Iterator[str]:
    """Yield a table of moments for each text, with a line below each for its image.

    Args:
        moments: those of a text in order of their ranks.
        texts: what was searched for, each once.
        images: where the images are, or why there are none, if they were asked for.
    """
    by_text = {text: list(of_text) for text, of_text in groupby(moments, lambda each: each.text)}
    for text in texts:
        yield redact_text(text)
        if text not in by_text:
            yield "  nothing found"
        for moment in by_text.get(text, ()):
            yield (
                f"{moment.rank:4}  {moment.score:6.3f}  {clock(moment.timestamp):>10}  "
                f"{_name(moment.video)}, frame {moment.frame_id}"
            )
            if moment in images:
                yield f"{'':26}{_image(images[moment])}"
        yield ""


def clock(seconds: float) -> str:
    """Return a time as h:mm:ss.s."""
    minutes, tenths = divmod(round(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{tenths // 10:02}.{tenths % 10}"


def _name(video: str | None) -> str:
    shown = redact_url(video) if video else "a video"
    return shown if len(shown) <= _LONGEST else f"…{shown[1 - _LONGEST :]}"


def _image(image: str | KeyframesError) -> str:
    if isinstance(image, str):
        return redact_url(image)
    return redact_text(f"no image: {type(image).__name__}: {image}")
