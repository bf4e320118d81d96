"""The interface of selectors, and the checks of what they are given and return."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import SelectionError, SelectorError
from spark_keyframes.hooks import calling, short_repr
from spark_keyframes.selection.part import Part

Scores = Sequence[float] | npt.NDArray[np.floating]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class Bracket(NamedTuple):
    """Consecutive candidates, and how many of the best of them a selector may choose."""

    start: int
    """first candidate"""
    stop: int
    """one past the last candidate"""
    places: int
    """the number of best candidates in this range that may be selected"""


class Selector(ABC):
    """Chooses keyframes among a video's candidates. Subclass it to write your own.

    Only `select` is obligatory:

        class First(Selector):
            def select(self, scores, k):
                return range(k)

    A selector must be picklable, and must choose the same frames for the same scores. One with
    parameters is best a frozen dataclass, so that equal parameters make equal selectors.
    """

    reads_scores: bool = True
    """False: it chooses the same frames whatever the scores, so a text or `rerank` has no effect
    on which frames are chosen."""
    needs_embeddings: bool = False
    """True: `select` also gets the keyword `embeddings`, float32 of shape (N, D), each of length 1.
    The module must be an EmbeddingModule."""
    needs_timestamps: bool = False
    """True: `select` also gets the keyword `timestamps`, float64 of shape (N,), in seconds from the
    start of the video."""

    needs_eligible: bool = False
    """True: with `min_score`, `select` gets all candidates, and the keyword `eligible`, bool of
    shape (N,): those that reach it. It must choose among these. False: it gets only these. With
    `rerank`, only candidates that were looked at again are eligible; the scores are the second
    model's, and the others have the least of them."""
    needs_first: bool = False
    """True: with `rerank`, `select` also gets the keyword `first`: the first model's scores of the
    same candidates, float64 of shape (N,)."""
    rule: str = ""
    """How it chooses, in a line, for `Keyframes.explain()`, such as "the best scores"."""

    @abstractmethod
    def select(self, scores: Any, k: int) -> Iterable[int]:
        """Return the indices of the selected candidates.

        Args:
            scores: float64 of shape (N,), finite, in order of presentation; N is at least 1.
            k: the most frames that may be selected: `max_num_frames`.

        Returns:
            At most k indices from 0 to N - 1. Their order and duplicates do not matter.
        """

    def __repr__(self) -> str:
        return short_repr(self)

    def brackets(self, count: int, k: int) -> Iterator[Bracket] | None:
        """Return which candidates can be selected, known before any score is. Optional.

        `select` may choose a candidate only if it is among the best `places` of at least one
        bracket that holds it; of equal scores the earlier is better. Frames that can no longer be
        selected are then dropped as scores come in. Brackets are yielded row by row: those of a row
        do not overlap, and go from left to right. None: any candidate may be selected until the
        last score is known.
        """
        return None

    def segments(
        self,
        scores: Any,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> list[Bracket]:
        """Return the parts of a video, and how many keyframes each gives. Optional.

        With `rerank`, each part gives its share of the candidates that are looked at again, its
        best. With `min_gap` or `max_similarity`, a frame that repeats another gives way to the best
        of its part. By default the video is one part.

        Args:
            scores: of all candidates, as for `select`.
            k: as for `select`.
            eligible: as for `select`; given only with `needs_eligible`.
            first: as for `select`; given only with `needs_first`.
        """
        return [Bracket(0, len(scores), k)]

    def explain(
        self,
        scores: Any,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> Part:
        """Return how `select` divides the video, and why, for `Keyframes.explain()`. Optional.

        It is called with what `segments` is. By default the video is one part, chosen by `rule`.
        """
        return Part(0, len(scores), k, self.rule)


def choose(
    selector: Selector,
    scores: Scores,
    k: int,
    *,
    embeddings: npt.NDArray[np.float32] | None = None,
    timestamps: Sequence[float] | None = None,
    min_score: float | None = None,
    looked_at: npt.NDArray[np.bool_] | None = None,
    first: Scores | None = None,
) -> list[int]:
    """Return the indices that `selector` selects, checked, ascending, each once.

    Candidates below `min_score` are not selected, and with `looked_at` only these are; none may be
    left. `first` are then the scores by which these were chosen.

    Raises:
        SelectionError: `scores` is empty or not finite.
        SelectorError: the selector failed, or returned more than k indices or one outside.
    """
    values = checked_scores(scores)
    extras: dict[str, Any] = {}
    if selector.needs_embeddings:
        extras["embeddings"] = embeddings
    if selector.needs_timestamps:
        extras["timestamps"] = np.asarray(timestamps, dtype=np.float64)
    if selector.needs_first and first is not None:
        extras["first"] = checked_scores(first)
    if min_score is None and looked_at is None:
        return _chosen(selector, values, k, extras)
    eligible = eligible_ones(values, min_score, looked_at)
    if not eligible.any():
        return []
    if selector.needs_eligible:
        return _chosen(selector, values, k, extras | {"eligible": eligible})
    places = np.flatnonzero(eligible)
    extras = {name: of_all[places] for name, of_all in extras.items()}
    return [int(places[i]) for i in _chosen(selector, values[places], k, extras)]


def eligible_ones(
    values: Floats, min_score: float | None, looked_at: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    """Return which candidates may be selected; for the arguments see `choose`."""
    eligible = np.ones(len(values), bool) if looked_at is None else looked_at.copy()
    if min_score is not None:
        eligible &= values >= min_score
    return eligible


def _chosen(
    selector: Selector, values: npt.NDArray[np.float64], k: int, extras: dict[str, Any]
) -> list[int]:
    name = f"select of {type(selector).__name__}"
    select: Any = selector.select
    with calling("select", selector, SelectorError, "select"):
        indices = select(values.copy(), k, **extras)
        if indices is None:
            raise SelectorError(f"{name} returned None; return the indices")
        is_mask = "bool" in str(getattr(indices, "dtype", ""))
        indices = list(indices)
        if is_mask or any(isinstance(index, bool | np.bool_) for index in indices):
            raise SelectorError(f"{name} gave booleans; return indices: numpy.flatnonzero(mask)")
        chosen = {operator.index(index) for index in indices}
    outside = [index for index in chosen if not 0 <= index < len(values)]
    if outside:
        raise SelectorError(
            f"{name} gave index {outside[0]} for {len(values)} candidates; "
            f"indices go from 0 to {len(values) - 1}"
        )
    if len(chosen) > k:
        raise SelectorError(f"{name} gave {len(chosen)} frames, but at most {k} were asked for")
    return sorted(chosen)


def checked_brackets(selector: Selector, count: int, k: int) -> list[Bracket] | None:
    """Return the brackets of `count` candidates, checked; None: there are none.

    Raises:
        SelectorError: `brackets` failed, or returned something else.
    """
    with calling("brackets", selector, SelectorError, "select"):
        found = selector.brackets(count, k)
        return None if found is None else _checked(found, count)


def checked_segments(
    selector: Selector,
    scores: Scores,
    k: int,
    *,
    eligible: npt.NDArray[np.bool_] | None = None,
    first: Scores | None = None,
) -> list[Bracket]:
    """Return the segments of candidates with these scores, checked.

    Args:
        selector: whose segments.
        scores: of all candidates.
        k: the most frames that may be selected.
        eligible: which candidates may be selected; None: all.
        first: as for `choose`.

    Raises:
        SelectionError: `scores` is empty or not finite.
        SelectorError: `segments` failed, or returned something else.
    """
    values, places, extras = _given(selector, scores, eligible, first)
    with calling("segments", selector, SelectorError, "select"):
        segments = _checked(selector.segments(values, k, **extras), len(places))
        if (total := sum(segment.places for segment in segments)) > k:
            raise ValueError(f"the segments give {total} frames, but at most {k} were asked for")
    return [
        Bracket(int(places[start]), int(places[stop - 1]) + 1, count)
        for start, stop, count in segments
    ]


def explained(
    selector: Selector,
    scores: Scores,
    k: int,
    *,
    eligible: npt.NDArray[np.bool_] | None = None,
    first: Scores | None = None,
) -> Part:
    """Return what `explain` of the selector does, checked; for the arguments see `choose`.

    Raises:
        SelectorError: `explain` failed, or returned something else.
    """
    values, places, extras = _given(selector, scores, eligible, first)
    with calling("explain", selector, SelectorError, "select"):
        part = selector.explain(values, k, **extras)
        if not isinstance(part, Part):
            raise TypeError(f"it returned {part!r:.80}; return a Part")
        for each in part.all_parts:
            if not 0 <= each.start < each.stop <= len(places):
                raise ValueError(
                    f"a part from {each.start} to {each.stop} is none of {len(places)} candidates"
                )
    return part.of_all(places)


def _given(
    selector: Selector,
    scores: Scores,
    eligible: npt.NDArray[np.bool_] | None,
    first: Scores | None,
) -> tuple[Floats, Indices, dict[str, Any]]:
    """Return the scores that a selector gets, whose they are, and the other arguments."""
    values = checked_scores(scores)
    extras: dict[str, Any] = {}
    places = np.arange(len(values))
    if selector.needs_first and first is not None:
        extras["first"] = checked_scores(first)
    if eligible is not None and selector.needs_eligible:
        extras["eligible"] = eligible
    elif eligible is not None:
        places = np.flatnonzero(eligible)
        extras = {name: of_all[places] for name, of_all in extras.items()}
    return values[places], places, extras


def _checked(brackets: Iterable[Bracket], count: int) -> list[Bracket]:
    checked = [Bracket(*map(operator.index, bracket)) for bracket in brackets]
    for bracket in checked:
        if not (0 <= bracket.start < bracket.stop <= count and bracket.places > 0):
            raise ValueError(f"{tuple(bracket)} is no bracket of {count} candidates")
    return checked


def checked_scores(scores: Scores) -> npt.NDArray[np.float64]:
    """Return scores as a vector of float64; raise SelectionError for none, NaN or infinity."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise SelectionError(
            f"scores must be a sequence of at least one number, got shape {values.shape}; "
            "a video without candidates has no keyframes to select"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise SelectionError(
            f"scores must be finite, got {values[bad[0]]} for candidate {bad[0]} "
            f"({bad.size} of {values.size} are not finite); "
            'a model in half precision can overflow: try dtype="float32"'
        )
    return values


def normalised(scores: Scores) -> Floats:
    """Return checked scores, scaled so that they go from 0 to 1; zeros where all are equal."""
    values = checked_scores(scores)
    low = values.min()
    with np.errstate(over="ignore"):
        spread = values.max() - low
    if not np.isfinite(spread):
        raise SelectionError(f"scores from {low} to {values.max()} are too far apart to compare")
    return (values - low) / spread if spread > 0 else np.zeros_like(values)


def eligible_indices(eligible: npt.NDArray[np.bool_] | None, count: int) -> npt.NDArray[np.intp]:
    """Return the indices of the eligible ones of `count` candidates; None: all are."""
    return np.arange(count) if eligible is None else np.flatnonzero(eligible)


def best(values: npt.NDArray[np.float64], start: int, stop: int, places: int) -> list[int]:
    """Return the indices of the `places` highest values in [start, stop), the earlier if equal."""
    order = np.argsort(-values[start:stop], kind="stable")
    return [start + int(i) for i in order[:places]]


def equal_slices(count: int, slices: int) -> Iterator[tuple[int, int]]:
    """Cut range(count) into min(count, slices) runs whose lengths differ by one at most."""
    slices = min(count, slices)
    for number in range(slices):
        yield number * count // slices, (number + 1) * count // slices
