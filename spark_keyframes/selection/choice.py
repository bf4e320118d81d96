"""What is asked of the candidates of a video, for any selector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Scores, Selector, checked_brackets, choose
from spark_keyframes.selection.survivors import Survivors, contested


@dataclass(frozen=True)
class Choice:
    """Chooses up to `k` frames, and none below `min_score`."""

    selector: Selector
    k: int
    min_score: float | None = None
    """None: however low the scores are"""

    def indices(
        self,
        scores: Scores,
        *,
        embeddings: Sequence[npt.NDArray[np.float32] | None] = (),
        timestamps: Sequence[float] = (),
    ) -> list[int]:
        """Return the indices of the selected candidates, ascending; see `choose`.

        Args:
            scores: of all candidates, in order of presentation.
            embeddings: of each, where the selector needs them.
            timestamps: of each, in seconds.
        """
        if not len(scores):  # of a window between two candidates
            return []
        rows = None
        if self.selector.needs_embeddings:
            rows = np.stack([row for row in embeddings if row is not None])
        return choose(
            self.selector,
            scores,
            self.k,
            embeddings=rows,
            timestamps=timestamps,
            min_score=self.min_score,
        )

    def contested(self, scores: Sequence[float], tolerance: float, **more: object) -> list[int]:
        """Return the candidates whose selection depends on score errors of up to `tolerance`.

        Args:
            scores: as for `indices`.
            tolerance: how far each score may be off.
            more: the other arguments of `indices`.
        """
        if not tolerance:
            return []
        values = np.asarray(scores, dtype=np.float64)
        return contested(
            lambda changed: self.indices(changed, **more),  # type: ignore[arg-type]
            values,
            tolerance,
            self.min_score,
        )

    def survivors(self, count: int, tolerance: float) -> Survivors | None:
        """Return what tells which of `count` candidates can still be selected; None: all can."""
        brackets = checked_brackets(self.selector, count, self.k)
        return None if brackets is None else Survivors(brackets, count, margin=2 * tolerance)
