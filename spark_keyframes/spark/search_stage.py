"""The function of `DataFrame.mapInArrow` that finds the best moments of a partition of an index."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spark_keyframes.index import BestHits, Hit, Question, best_moments, read_candidates
from spark_keyframes.index_info import IndexInfo, check_info, damaged
from spark_keyframes.schema import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger("spark_keyframes")

HIT_TYPES = {"text": "string", "frame_id": "bigint", "timestamp": "double", "score": "float"}
"""The columns of a hit, with their types in SQL; `text` only with several texts."""


class _Scored(NamedTuple):
    """The candidates of a video."""

    frame_ids: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]
    """K×N, for each text and candidate"""


@dataclass(frozen=True)
class SearchStage:
    """Searches a partition. Pickled by reference.

    The input has `index_info`, then the candidates, and then the other columns of the index. The
    candidates are either the column of an index, or three that Spark made of it: `frame_ids`,
    `timestamps`, and `scores` for each text.
    """

    question: Question
    asked: IndexInfo
    """how the model of the texts makes an index"""
    embeddings: list[list[float]]
    """of each text"""
    min_score: float | None
    is_scored: bool
    """whether Spark has computed the scores"""
    added: list[str]
    """those of `HIT_TYPES` that the result has"""

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield the best hits of the partition, `limit` for each text."""
        best: dict[str, BestHits[pa.RecordBatch]]
        best = {text: BestHits(self.question.limit) for text in self.question.texts}
        without = 0
        for batch in batches:
            without += self._add(batch, best)
        if without:
            logger.warning("%d videos have no candidates, and were not searched", without)
        for text, hits in best.items():
            if found := hits.best():
                yield self._batch(text, found)

    def _add(self, batch: "pa.RecordBatch", best: "dict[str, BestHits[pa.RecordBatch]]") -> int:
        """Add the hits of a batch; return how many rows have no candidates."""
        import pyarrow as pa

        others = batch.select(list(range(4 if self.is_scored else 2, batch.num_columns)))
        infos: list[dict[str, Any] | None] = batch.column(0).to_pylist()
        read = self._of_spark(batch, infos) if self.is_scored else self._of_index(batch, infos)
        without = 0
        for number, scored in enumerate(read):
            if scored is None:
                without += 1
                continue
            row = others.take(pa.array([number]))  # a copy: a slice would keep the whole batch
            for text, scores in zip(self.question.texts, scored.scores, strict=True):
                best[text].add(self._hits(scored, scores, row, best[text].least))
        return without

    def _of_index(
        self, batch: "pa.RecordBatch", infos: list[dict[str, Any] | None]
    ) -> Iterator[_Scored | None]:
        texts = np.array(self.embeddings, np.float32)
        for info, candidates in zip(infos, read_candidates(batch.column(1)), strict=True):
            if info is None or candidates is None or candidates.embeddings is None:
                yield None
                continue
            check_info(info, self.asked, candidates=False)
            rows = candidates.embeddings
            if len(rows) and rows.shape[1] != texts.shape[1]:
                raise damaged("is not as long as those of the model")
            yield _Scored(
                np.array(candidates.frame_ids, np.int64),
                np.array(candidates.timestamps, np.float64),
                texts @ rows.T if len(rows) else np.empty((len(texts), 0), np.float32),
            )

    def _of_spark(
        self, batch: "pa.RecordBatch", infos: list[dict[str, Any] | None]
    ) -> Iterator[_Scored | None]:
        for info, *row in zip(infos, *(batch.column(place) for place in (1, 2, 3)), strict=True):
            frame_ids, timestamps, by_text = (each.values for each in row)
            if info is None or frame_ids is None:
                yield None
                continue
            check_info(info, self.asked, candidates=False)
            if by_text is None:
                raise damaged("is not as long as those of the model")
            scores = [numbers.values for numbers in by_text]
            if any(each.null_count for each in (frame_ids, timestamps, *scores)):
                raise damaged("is null")
            yield _Scored(
                frame_ids.to_numpy(),
                timestamps.to_numpy(),
                np.stack([each.to_numpy() for each in scores]),
            )

    def _hits(
        self,
        scored: _Scored,
        scores: npt.NDArray[np.float32],
        row: "pa.RecordBatch",
        least: float,
    ) -> "list[Hit[pa.RecordBatch]]":
        if not np.isfinite(scores).all():
            raise damaged("is not finite")
        found = best_moments(
            scores,
            scored.timestamps,
            limit=self.question.of_a_video,
            min_gap=self.question.min_gap,
            least=least if self.min_score is None else max(least, self.min_score),
        )
        return [
            Hit(float(scores[at]), row, int(scored.frame_ids[at]), float(scored.timestamps[at]))
            for at in found
        ]

    def _batch(self, text: str, hits: "list[Hit[pa.RecordBatch]]") -> "pa.RecordBatch":
        import pyarrow as pa

        values: dict[str, list[Any]] = {
            "text": [text] * len(hits),
            "frame_id": [hit.frame_id for hit in hits],
            "timestamp": [hit.timestamp for hit in hits],
            "score": [hit.score for hit in hits],
        }
        added = [pa.array(values[name], arrow_type(HIT_TYPES[name])) for name in self.added]
        parts = zip(*(hit.row.columns for hit in hits), strict=True)
        columns = [pa.concat_arrays(part) for part in parts]  # concat_batches came with PyArrow 19
        return pa.RecordBatch.from_arrays(
            [*columns, *added], [*hits[0].row.schema.names, *self.added]
        )
