"""What the HTML of a video shows, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from spark_keyframes.selection import Part


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One keyframe."""

    frame_id: int
    """number of the frame in the video, in order of presentation, from 0"""
    seconds: float | None = None
    """when it is shown, from the start of the video; None: not known"""
    score: float | None = None
    """None or NaN: it has none"""
    source: str | None = None
    """a data: URL or the address of the image; None: there is a placeholder"""
    missing: str = ""
    """why there is no image, for the placeholder"""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The scores of all candidates, in aligned lists in order of presentation."""

    seconds: Sequence[float]
    """from the start of the video, ascending"""
    scores: Sequence[float]
    """NaN or infinite where a candidate has none"""


@dataclass(frozen=True, kw_only=True)
class VideoCard:
    """One video with one text."""

    title: str
    """name of the video, without credentials: see `redact_url`"""
    text: str | None = None
    """that the frames were compared with; None or "": there is none"""
    pictures: Sequence[Picture] = ()
    """the keyframes, in order of time"""
    more: Sequence[Picture] = ()
    """other keyframes, in order of time, which are listed without their images"""
    curve: Curve | None = None
    """None: it is not known"""
    failure: str | None = None
    """why the video failed, without credentials: see `redact_text`"""
    note: str = ""
    """what else there is to know, such as why there are no keyframes"""
    root: Part | None = None
    """how the selector divided the video, drawn under the curve"""
    explanation: str = ""
    """why these frames were chosen, in lines: behind a line that opens it"""

    @property
    def keyframes(self) -> list[Picture]:
        """All of them, in order of time."""
        return sorted([*self.pictures, *self.more], key=lambda each: each.frame_id)
