"""What is asked of the candidates of a video, for any selector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Scores, Selector, checked_brackets, choose
from spark_keyframes.selection.second_look import shortlist, widened
from spark_keyframes.selection.survivors import Survivors, contested


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

    def indices(
        self,
        scores: Scores,
        *,
        embeddings: Sequence[npt.NDArray[np.float32] | None] = (),
        timestamps: Sequence[float] = (),
        second: Mapping[int, float] | None = None,
    ) -> list[int]:
        """Return the indices of the selected candidates, ascending; see `choose`.

        Args:
            scores: of all candidates, in order of presentation.
            embeddings: of each, where the selector needs them.
            timestamps: of each, in seconds.
            second: the scores of those that a second model has looked at, by index.
        """
        if not len(scores):  # of a window between two candidates
            return []
        rows = None
        if self.selector.needs_embeddings:
            rows = np.stack([row for row in embeddings if row is not None])
        final: dict[str, Any] = {}
        if second is not None:
            looked_at = np.zeros(len(scores), bool)
            looked_at[list(second)] = True
            final = {"looked_at": looked_at, "first": scores}
            scores = [second.get(index, min(second.values())) for index in range(len(scores))]
        return choose(
            self.selector,
            scores,
            self.k,
            embeddings=rows,
            timestamps=timestamps,
            min_score=self.min_score,
            **final,
        )

    def shortlist(self, scores: Scores) -> list[int]:
        """Return the candidates that a second model looks at, by index, ascending."""
        return shortlist(self.selector, scores, self.k, self.second_look or 0)

    def contested(self, scores: Sequence[float], tolerance: float, **more: object) -> list[int]:
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
        return contested(
            lambda changed: self.indices(changed, **more),  # type: ignore[arg-type]
            values,
            tolerance,
            self.min_score,
        )

    def survivors(self, count: int, tolerance: float) -> Survivors | None:
        """Return what tells which of `count` candidates can still be selected; None: all can."""
        brackets = checked_brackets(self.selector, count, self.k)
        if self.second_look is not None:
            brackets = widened(brackets or [], count, self.k, self.second_look)
        return None if brackets is None else Survivors(brackets, count, margin=2 * tolerance)
