"""Why the keyframes of a video were chosen, as data and as text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from spark_keyframes.images.text import format_score, format_time
from spark_keyframes.selection.part import Part
from spark_keyframes.selection.repeats import Repeats, Replacement

_PER_LINE = 6
"""keyframes of a line"""


@dataclass(frozen=True)
class Trace:
    """How the keyframes of a video were chosen. `str()` is a text of some lines.

    Frames are given as indices of candidates, as in the lists of `Keyframes.candidates`.
    """

    selector: str
    """the selector with its parameters"""
    max_num_frames: int
    """the most keyframes that were asked for"""
    chosen: Sequence[int]
    """what the selector chose, ascending"""
    replacements: Sequence[Replacement]
    """which of these gave way to others, for `min_gap` or `max_similarity`"""
    keyframes: Sequence[int]
    """the result, ascending"""
    root: Part | None
    """the video as the selector divided it; None where no candidate may be chosen"""
    eligible: int
    """how many candidates may be chosen"""
    min_score: float | None
    """which these reach; None: there is none"""
    looked_at: int | None
    """how many candidates the model of `rerank` looked at; None: there is none"""
    repeats: Repeats
    """the limits `min_gap` and `max_similarity`"""
    timestamps: Sequence[float] = field(repr=False)
    """of all candidates, in seconds from the start of the video"""
    scores: Sequence[float] = field(repr=False)
    """of all candidates, as the selector got them"""
    scale: tuple[float, float] = (0.0, 0.0)
    """the lowest and the highest score of the model that scored all candidates"""
    in_all: int | None = None
    """how many candidates the video has, if only some were looked at: these are the candidates"""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    @property
    def parts(self) -> list[Part]:
        """All parts, each before those that it was divided into."""
        return list(self.root.all_parts) if self.root else []

    def _lines(self) -> Iterator[str]:
        count = _counted(len(self.scores), "candidate")
        asked = f" {self.max_num_frames} were asked for."
        # A selector that divides the video, or measures it, says what it did part by part.
        divided = (
            self.root if self.root and (self.root.parts or self.root.top is not None) else None
        )
        rule = f": {self.root.why}" if self.root and self.root.why and not divided else ""
        few = asked if len(self.keyframes) < min(self.max_num_frames, len(self.scores)) else ""
        if self.in_all is not None:
            count += f" that were looked at, of {self.in_all} in all"
        yield f"{self.selector} chose {len(self.chosen)} of {count}{rule}.{few}"
        yield from self._eligible()
        if divided and divided.top is not None:
            low, high = map(format_score, self.scale)
            best = f"best {self.max_num_frames} scores" if self.max_num_frames > 1 else "best score"
            by = "" if self.looked_at is None else ", by the first model"
            if self.in_all is not None:
                by += "; where no candidate was looked at, they are estimates"
            yield f"top is the mean of a part's {best}, and mean that of all its scores{by}."
            yield f"Both are scaled: the video's lowest ({low}) is 0, its highest ({high}) is 1."
        if divided:
            yield ""
            yield from self._tree(divided)
        if self.replacements:
            yield ""
            yield from map(self._replaced, self.replacements)
        if self.replacements or not divided:
            yield from self._frames(self.keyframes, "Keyframes: ")

    def _eligible(self) -> Iterator[str]:
        """What `rerank` and `min_score` let pass."""
        asked = len(self.scores)
        if self.looked_at is not None:
            asked = self.looked_at
            yield f"rerank: only the {asked} that the second model looked at are eligible."
        if self.min_score is not None:
            yield f"min_score: {self.eligible} of {asked} are eligible: {self.min_score:g} or more."

    def _tree(self, part: Part, indent: str = "") -> Iterator[str]:
        start, end = map(format_time, part.times)
        candidates = _counted(part.stop - part.start, "candidate")
        if self.eligible < len(self.scores):
            candidates += f" ({part.eligible} eligible)"
        measured = ""
        if part.top is not None and part.mean is not None:
            measured = f", top {format_score(part.top)}, mean {format_score(part.mean)}"
        why = f": {part.why}" if part.why else ""
        frames = _counted(part.places, "frame")
        yield f"{indent}{start} – {end}: {frames} of {candidates}{measured}{why}"
        for each in part.parts:
            yield from self._tree(each, indent + "  ")
        if not part.parts:
            yield from self._frames(part.frames, f"{indent}  → ")

    def _frames(self, indices: Sequence[int], begin: str) -> Iterator[str]:
        shown = [f"{self._time(index)} ({format_score(self.scores[index])})" for index in indices]
        lines = [
            ", ".join(shown[number : number + _PER_LINE])
            for number in range(0, len(shown), _PER_LINE)
        ]
        if lines:
            yield begin + f",\n{' ' * len(begin)}".join(lines)

    def _replaced(self, each: Replacement) -> str:
        why = "it may not be chosen"
        if each.of is not None:
            other = self._time(each.of)
            gap = abs(self.timestamps[each.index] - self.timestamps[each.of])
            why = f"it is {gap:.2f} s from {other}, and min_gap is {self.repeats.min_gap:g}"
            if each.cosine is not None:
                why = f"its cosine with {other} is {format_score(each.cosine)}, and "
                why += f"max_similarity is {self.repeats.max_similarity:g}"
        by = "nothing that may be chosen" if each.by is None else self._time(each.by)
        return f"{self._time(each.index)} gave way to {by}: {why}."

    def _time(self, index: int) -> str:
        return format_time(self.timestamps[index])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
