"""The function of `mapInArrow` that samples parts of some videos, to measure what that takes."""

import os
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import Account
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.result import Answers, Failure, Keyframes
from spark_keyframes.schema import ERROR_DDL, arrow_type
from spark_keyframes.spark.spark_task import run_in_task

if TYPE_CHECKING:
    import pyarrow as pa

PROBE_DDL = (
    "place bigint, seconds double, candidates bigint, decode double, score double, gpu double, "
    "again double, looked bigint, encode double, images bigint, image_bytes bigint, "
    f"dimensions bigint, {ERROR_DDL}"
)
"""A row for each part: its seconds and candidates; the CPU seconds to decode and to score them, and
those of a GPU; what `rerank` took for how many frames; and of the images the CPU seconds, the
number and the bytes. Of a video that fails, only `place` and the error are not null."""

_PROC = Path("/proc")
_FIRST = 3.0  # seconds of video that tell how much of it there is time for


@dataclass(frozen=True)
class ProbeStage:
    """Samples the videos of a partition one after the other.

    Its input has the columns place, video, start and end (seconds; where the part may be) and texts
    (how many there are).
    """

    pipeline: Pipeline
    """as the job's, but without a place for images and without callbacks"""
    most_seconds: float
    """wall-clock seconds after which no video is begun, without those to load the model"""

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield a row for each video that was begun in time."""
        import pyarrow as pa

        schema = pa.schema(list(arrow_type(f"struct<{PROBE_DDL}>")))
        names = ("place", "video", "start", "end", "texts")
        rows = [
            dict(zip(names, row.values(), strict=True))
            for batch in batches
            for row in batch.to_pylist()
        ]
        found: list[dict[str, Any]] = []
        for number, row in enumerate(rows):
            if number == 0:
                self._outcome(row, _FIRST)  # loads the model, and computes with it once
                began = time.monotonic()
            left = self.most_seconds - (time.monotonic() - began)
            if number == 0 or left > 0:
                found.append(
                    {"place": row["place"]} | self._probe(row, left / (len(rows) - number))
                )
        yield pa.RecordBatch.from_pylist(found, schema)

    def _probe(self, row: dict[str, Any], affordable: float) -> dict[str, Any]:
        """Measure a first part of a video, and then a longer one if there is time for it."""
        began = time.monotonic()
        found = self._measured(row, _FIRST)
        spent = time.monotonic() - began
        longer = _FIRST * (affordable - spent) / max(spent, 1e-3)
        if "error" in found or longer < 2 * _FIRST or row["end"] - row["start"] <= _FIRST:
            return found
        return self._measured(row, longer)

    def _measured(self, row: dict[str, Any], seconds: float) -> dict[str, Any]:
        alone = replace(self, pipeline=replace(self.pipeline, matcher=None))
        outcome, before = alone._measured_outcome(row, seconds)
        if isinstance(outcome, Failure):
            return {key: getattr(outcome, key) for key in ("stage", "error", "message")}
        embeddings = outcome.candidates.embeddings
        files = _files(outcome)
        cells = {
            **before,
            "seconds": min(seconds, row["end"] - row["start"]),
            "candidates": outcome.account.frames_scored,
            "images": len(files),
            "image_bytes": sum(files),
            "dimensions": None if embeddings is None else embeddings.shape[1],
        }
        if self.pipeline.matcher is not None:
            second, after = self._measured_outcome(row, seconds)
            if not isinstance(second, Failure):
                cells["again"] = max(0.0, after["score"] - before["score"])
                cells["looked"] = second.account.scored_again - outcome.account.scored_again
        return cells

    def _measured_outcome(
        self, row: dict[str, Any], seconds: float
    ) -> tuple[Keyframes | Answers | Failure, dict[str, float]]:
        own, others = cpu_seconds()
        outcome = self._outcome(row, seconds)
        own, others = (now - then for now, then in zip(cpu_seconds(), (own, others), strict=True))
        return outcome, _shared_out(outcome.account, own, others)

    def _outcome(self, row: dict[str, Any], seconds: float) -> Keyframes | Answers | Failure:
        text, count = self.pipeline.parameters.text, row["texts"]
        texts = [text, *(f"{text} {number}" for number in range(1, count))][:count]
        start, end = row["start"], min(row["end"], row["start"] + seconds)
        request = Request(row["video"], texts[0] if count == 1 else texts, start or None, end)
        pipeline = replace(self.pipeline, workers=1)
        with closing(run_in_task(pipeline, [request])) as outcomes:
            outcome: Outcome = next(outcomes)
        if outcome is None:
            raise ValueError("a probe without a video")
        return outcome


def _files(outcome: Keyframes | Answers) -> list[int]:
    """Return the sizes of the images' files."""
    if isinstance(outcome, Keyframes):
        return [len(file) for file in outcome.image_files]
    return [len(file) for _, file in outcome.frames.values() if file is not None]


def cpu_seconds() -> tuple[float, float]:
    """Return the CPU seconds of this process, and of its children: those that decode."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    total, tick = children.ru_utime + children.ru_stime, os.sysconf("SC_CLK_TCK")
    for stat in _PROC.glob("[0-9]*/stat"):  # on Linux; those that are still at work
        with suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                total += (int(fields[11]) + int(fields[12])) / tick
    return time.process_time(), total


def _shared_out(account: Account, own: float, others: float) -> dict[str, float]:
    """Divide CPU seconds between what they were spent on."""
    import torch

    spent = account.seconds
    if not _PROC.is_dir():  # not Linux: what a decoding process takes is only known once it ends
        others = spent["decode"]
    parts = {
        "decode": spent["open"] + spent["demux"] + (0.0 if others else spent["decode"]),
        "score": spent["preprocess"] + spent["clip"] + spent["select"],
        "encode": spent["encode"] + spent["upload"],
    }
    total = sum(parts.values()) or 1.0
    cells = {name: own * part / total for name, part in parts.items()}
    cells["decode"] += others
    cells["gpu"] = spent["clip"] if torch.cuda.is_available() else 0.0
    return cells
