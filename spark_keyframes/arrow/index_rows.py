"""Reads the rows of an index as requests."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spark_keyframes.arrow.columns import IndexColumns
from spark_keyframes.engine.request import Request
from spark_keyframes.index import read_candidates
from spark_keyframes.index_info import IndexInfo, check_info, damaged
from spark_keyframes.result import Candidates
from spark_keyframes.video import Window

if TYPE_CHECKING:
    import pyarrow as pa


def indexed_rows(
    batch: "pa.RecordBatch", columns: IndexColumns, requests: Iterator[Request], asked: IndexInfo
) -> Iterator[Request]:
    """Yield the requests with the index of each; a row without one gets no result.

    Raises:
        IndexMismatchError: the index was made in another way than is asked for, or is damaged.
    """
    infos = batch.column(columns.info).to_pylist()
    found = read_candidates(batch.column(columns.candidates))
    for request, info, indexed in zip(requests, infos, found, strict=True):
        if indexed is None or info is None:
            yield replace(request, video=None)
            continue
        check_info(info, asked, candidates=True)
        _check_embeddings(indexed, info)
        window = Window.of(info.get("start"), info.get("end"))
        yield replace(
            request, indexed=replace(indexed, duration=info.get("duration"), window=window)
        )


def _check_embeddings(indexed: Candidates, info: dict[str, Any]) -> None:
    embeddings = indexed.embeddings
    if embeddings is None or not len(embeddings):
        return
    if info.get("dimensions") not in (None, embeddings.shape[1]):
        raise damaged("is not as long as those of the model")
    # A sum needs no array of its own, and one number that is not finite makes it so.
    if not np.isfinite(embeddings.sum()):
        raise damaged("is not finite")
