"""The function of `DataFrame.mapInArrow` that finds the best moments of a partition of an index."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from spark_keyframes.engine.device import resolve_device
from spark_keyframes.engine.modules import ready_module
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.errors import IndexMismatchError
from spark_keyframes.index import BestHits, Hit, Question, best_moments, read_candidates
from spark_keyframes.index_info import check_info
from spark_keyframes.module import EmbeddingModule
from spark_keyframes.result import Candidates
from spark_keyframes.schema import arrow_type
from spark_keyframes.spark.columns import Columns, IndexColumns
from spark_keyframes.spark.spark_task import assigned_gpus

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger("spark_keyframes")

HIT_TYPES = {"text": "string", "frame_id": "bigint", "timestamp": "double", "score": "float"}
"""The columns of a hit, with their types in SQL; `text` only with several texts."""


@dataclass(frozen=True)
class SearchStage:
    """Searches a partition. Pickled by reference."""

    pipeline: Pipeline
    columns: Columns
    """with those of an index"""
    question: Question
    added: list[str]
    """those of `HIT_TYPES` that the result has"""

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield the best hits of the partition, `limit` for each text."""
        best: dict[str, BestHits[pa.RecordBatch]]
        best = {text: BestHits(self.question.limit) for text in self.question.texts}
        queries: npt.NDArray[np.float32] | None = None
        without = 0
        for nameless in batches:
            if nameless.num_rows == 0:
                continue
            if queries is None:  # not before there is something to search
                queries = self._queries()
            without += self._add(nameless.rename_columns(self.columns.read), queries, best)
        if without:
            logger.warning("%d videos have no candidates, and were not searched", without)
        for text, hits in best.items():
            if found := hits.best():
                yield self._batch(text, found)

    def _queries(self) -> npt.NDArray[np.float32]:
        import torch

        device = resolve_device(rank=self.pipeline.parameters.rank, assigned=assigned_gpus())
        with ready_module(self.pipeline.module, device) as module, torch.inference_mode():
            rows = cast(EmbeddingModule, module).unit_texts(self.question.texts)
            found = torch.stack([rows[text] for text in self.question.texts])
        return cast(npt.NDArray[np.float32], found.cpu().numpy())

    def _add(
        self,
        batch: "pa.RecordBatch",
        queries: npt.NDArray[np.float32],
        best: "dict[str, BestHits[pa.RecordBatch]]",
    ) -> int:
        """Add the hits of a batch; return how many rows have no candidates."""
        import pyarrow as pa

        asked, without = self.pipeline.parameters.index_info(self.pipeline.module), 0
        columns = cast(IndexColumns, self.columns.index)
        passed = batch.select(self.columns.passed)
        infos = batch.column(columns.info).to_pylist()
        found = read_candidates(batch.column(columns.candidates))
        for number, (info, candidates) in enumerate(zip(infos, found, strict=True)):
            if candidates is None or info is None:
                without += 1
                continue
            check_info(info, asked, candidates=False)
            embeddings = cast(npt.NDArray[np.float32], candidates.embeddings)
            if not len(embeddings):
                continue
            if embeddings.shape[1] != queries.shape[1]:
                raise IndexMismatchError(
                    f"the index has embeddings of {embeddings.shape[1]} numbers, and the model "
                    f"gives {queries.shape[1]}; use the model that made it"
                )
            row = passed.take(pa.array([number]))  # a copy: a slice would keep the whole batch
            for text, scores in zip(self.question.texts, queries @ embeddings.T, strict=True):
                best[text].add(self._hits(scores, candidates, row, best[text].least))
        return without

    def _hits(
        self,
        scores: npt.NDArray[np.float32],
        candidates: Candidates,
        row: "pa.RecordBatch",
        least: float,
    ) -> "list[Hit[pa.RecordBatch]]":
        if not np.isfinite(scores).all():
            raise IndexMismatchError(
                "the index is damaged: an embedding holds numbers that are not finite; index the "
                "videos again"
            )
        min_score = self.pipeline.parameters.min_score
        found = best_moments(
            scores,
            candidates.timestamps,
            limit=self.question.of_a_video,
            min_gap=self.question.min_gap,
            least=least if min_score is None else max(least, min_score),
        )
        return [
            Hit(float(scores[at]), row, candidates.frame_ids[at], candidates.timestamps[at])
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
        rows = pa.concat_batches([hit.row for hit in hits])
        return pa.RecordBatch.from_arrays(
            [*rows.columns, *added], [*self.columns.passed, *self.added]
        )
