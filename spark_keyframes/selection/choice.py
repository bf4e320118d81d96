"""What is asked of the candidates of a video, for any selector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.hooks import short_repr
from spark_keyframes.selection.base import (
    Scores,
    Selector,
    checked_brackets,
    checked_scores,
    checked_segments,
    choose,
    eligible_ones,
    explained,
)
from spark_keyframes.selection.repeats import Repeats, Replacement
from spark_keyframes.selection.second_look import shortlist, widened
from spark_keyframes.selection.seen import Seen
from spark_keyframes.selection.survivors import Survivors, contested
from spark_keyframes.selection.trace import Trace


@dataclass(frozen=True)
class Choice:
    """Chooses up to `k` frames, and none below `min_score`."""

    selector: Selector
    k: int
    min_score: float | None = None
    """None: however low the scores are"""
    second_look: int | None = None
    """how many candidates a second model looks at; `min_score` is of its scores. None: there is
    none"""
    repeats: Repeats = field(default_factory=Repeats)
    """which of them may not be chosen together"""

    @property
    def needs_embeddings(self) -> bool:
        """Whether `indices` needs the embeddings of all candidates."""
        return self.selector.needs_embeddings or self.repeats.compares_embeddings

    def indices(
        self,
        scores: Scores,
        *,
        embeddings: Sequence[npt.NDArray[np.float32] | None] = (),
        timestamps: Sequence[float] = (),
        second: Mapping[int, float] | None = None,
    ) -> list[int]:
        """Return the indices of the selected candidates, ascending; for the arguments: `decide`."""
        return self.decide(
            scores, embeddings=embeddings, timestamps=timestamps, second=second
        ).indices

    def decide(
        self,
        scores: Scores,
        *,
        embeddings: Sequence[npt.NDArray[np.float32] | None] = (),
        timestamps: Sequence[float] = (),
        second: Mapping[int, float] | None = None,
    ) -> "Decision":
        """Return which candidates are selected, and what gave way to them; see `choose`.

        Args:
            scores: of all candidates, in order of presentation.
            embeddings: of each, with `needs_embeddings`.
            timestamps: of each, in seconds.
            second: the scores of those that a second model has looked at, by index.
        """
        if not len(scores):  # of a window between two candidates
            return Decision(self)
        rows = None
        if self.needs_embeddings:
            rows = np.stack([row for row in embeddings if row is not None])
        final, looked_at = _final(scores, second)
        first = None if second is None else scores
        chosen = choose(
            self.selector,
            final,
            self.k,
            embeddings=rows,
            timestamps=timestamps,
            min_score=self.min_score,
            looked_at=looked_at,
            first=first,
        )
        if not (self.repeats.possible and chosen):
            return Decision(self, chosen, second=second)
        values = checked_scores(final)
        eligible = eligible_ones(values, self.min_score, looked_at)
        segments = checked_segments(self.selector, values, self.k, eligible=eligible, first=first)
        replacements = self.repeats.replacements(
            chosen, values, eligible, segments, timestamps=timestamps, embeddings=rows
        )
        return Decision(self, chosen, replacements, second)

    def shortlist(self, scores: Scores) -> list[int]:
        """Return the candidates that a second model looks at, by index, ascending."""
        return shortlist(self.selector, scores, self.k, self.second_look or 0)

    def contested(self, scores: Sequence[float], tolerance: float, **more: Any) -> list[int]:
        """Return the candidates whose selection depends on score errors of up to `tolerance`.

        With a second look, this is the selection of those to look at.

        Args:
            scores: as for `indices`.
            tolerance: how far each score may be off.
            more: the other arguments of `indices`.
        """
        if not tolerance:
            return []
        values = np.asarray(scores, dtype=np.float64)
        if self.second_look is not None:
            return contested(self.shortlist, values, tolerance)

        def choose(changed: Scores) -> list[int]:
            return self.indices(changed, **more)

        found = contested(choose, values, tolerance, self.min_score)
        if not self.repeats.compares_embeddings:
            return found
        return sorted({*found, *self._contested_repeats(values, tolerance, **more)})

    def _contested_repeats(
        self, scores: npt.NDArray[np.float64], tolerance: float, **more: Any
    ) -> set[int]:
        """Return selected candidates that are about as similar as `max_similarity` allows."""
        margin = 2 * tolerance  # each of two embeddings may be off
        similarity = self.repeats.max_similarity
        selected: set[int] = set()
        # Frames that are repeats at one end of the margin are selected at the other.
        for limit in (max(similarity - margin, 0), similarity, min(similarity + margin, 1)):
            repeats = replace(self.repeats, max_similarity=limit)
            selected.update(replace(self, repeats=repeats).indices(scores, **more))
        if not selected:
            return set()
        places = sorted(selected)
        rows = np.stack([more["embeddings"][index] for index in places]).astype(np.float64)
        near = np.abs(rows @ rows.T - similarity) <= margin
        np.fill_diagonal(near, False)
        return {place for place, row in zip(places, near, strict=True) if row.any()}

    def survivors(self, count: int, tolerance: float) -> Survivors | None:
        """Return what tells which of `count` candidates can still be selected; None: all can.

        A frame that takes the place of a repeat may be another one: any candidate can be the next
        best. It is decoded again.
        """
        brackets = checked_brackets(self.selector, count, self.k)
        if self.second_look is not None:
            brackets = widened(brackets or [], count, self.k, self.second_look)
        return None if brackets is None else Survivors(brackets, count, margin=2 * tolerance)


@dataclass(frozen=True)
class Decision:
    """What a `Choice` selected of the candidates of a video, kept for `explain`."""

    choice: Choice
    chosen: Sequence[int] = ()
    """indices of what the selector chose, ascending"""
    replacements: Sequence[Replacement] = ()
    """which of them gave way to others"""
    second: Mapping[int, float] | None = None
    """the second model's scores of those that it looked at, by index"""

    @property
    def indices(self) -> list[int]:
        """The selected candidates, ascending."""
        out = {each.index for each in self.replacements}
        instead = {each.by for each in self.replacements if each.by is not None}
        return sorted({*self.chosen} - out | instead)

    def explain(self, scores: Scores, timestamps: Sequence[float]) -> Trace:
        """Return why these were selected.

        Args:
            scores: of all candidates, by the first model.
            timestamps: of each, in seconds from the start of the video.

        Raises:
            SelectorError: `explain` of the selector failed, or returned something else.
        """
        choice, second = self.choice, self.second
        root, eligible, final = None, np.zeros(0, bool), scores
        if len(scores):
            final, looked_at = _final(scores, second)
            eligible = eligible_ones(checked_scores(final), choice.min_score, looked_at)
        if eligible.any():
            part = explained(
                choice.selector,
                final,
                choice.k,
                eligible=None if eligible.all() else eligible,
                first=None if second is None else scores,
            )
            root = part.filled(self.chosen, timestamps, eligible)
        seen = choice.selector if isinstance(choice.selector, Seen) else None
        return Trace(
            selector=short_repr(seen.selector if seen else choice.selector),
            max_num_frames=choice.k,
            chosen=self.chosen,
            replacements=self.replacements,
            keyframes=self.indices,
            root=root,
            eligible=int(eligible.sum()),
            min_score=choice.min_score,
            looked_at=None if second is None else len(second),
            repeats=choice.repeats,
            timestamps=timestamps,
            scores=[float(score) for score in final],
            scale=(float(min(scores)), float(max(scores))) if len(scores) else (0.0, 0.0),
            in_all=len(seen.expected) if seen else None,
        )


def _final(
    scores: Scores, second: Mapping[int, float] | None
) -> tuple[Scores, npt.NDArray[np.bool_] | None]:
    """Return the scores that decide, and which candidates a second model has looked at.

    Those that it has not looked at have the least of its scores.
    """
    if second is None:
        return scores, None
    looked_at = np.zeros(len(scores), bool)
    looked_at[list(second)] = True
    least = min(second.values())
    return [second.get(index, least) for index in range(len(scores))], looked_at
