"""Reads the rows of an index as requests."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from spark_keyframes.engine.request import Request
from spark_keyframes.index import read_candidates
from spark_keyframes.index_info import IndexInfo, check_info
from spark_keyframes.spark.columns import IndexColumns
from spark_keyframes.video import Window

if TYPE_CHECKING:
    import pyarrow as pa


def indexed_rows(
    batch: "pa.RecordBatch", columns: IndexColumns, requests: Iterator[Request], asked: IndexInfo
) -> Iterator[Request]:
    """Yield the requests with the index of each; a row without one gets no result.

    Raises:
        IndexMismatchError: the index was made in another way than is asked for.
    """
    infos = batch.column(columns.info).to_pylist()
    found = read_candidates(batch.column(columns.candidates))
    for request, info, indexed in zip(requests, infos, found, strict=True):
        if indexed is None or info is None:
            yield replace(request, video=None)
            continue
        check_info(info, asked, candidates=True)
        window = Window.of(info.get("start"), info.get("end"))
        yield replace(
            request, indexed=replace(indexed, duration=info.get("duration"), window=window)
        )
