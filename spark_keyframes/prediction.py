"""Asks a module for the scores of a batch; a GPU computes them while the next batch is prepared."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import AcceleratorError, KeyframesError, ModuleError
from spark_keyframes.hooks import calling, finite_embeddings, finite_scores
from spark_keyframes.module import EmbeddingModule, KeyframesModule, is_cosine
from spark_keyframes.transfer import Download, indices_on

logger = logging.getLogger("spark_keyframes")

Embedding = npt.NDArray[np.float32]
Scores = tuple[Sequence[float], Embedding | None]
"""of a frame: one number for each text, and the frame's embedding where it is needed"""

PAIRS = 4096
"""how many embeddings are compared at a time"""


class _OutOfMemoryError(KeyframesError):
    """The GPU's memory does not hold a batch; `Predictor` makes a smaller one."""


class Prediction(Protocol):
    """The scores of a batch, once the device has computed them."""

    @property
    def is_ready(self) -> bool:
        """Whether `collect` need not wait."""

    def collect(self) -> list[Scores]:
        """Wait for the device, and return the scores of each frame for its texts.

        Raises: as `Predictor.begin`.
        """


@dataclass
class _Asked:
    """A prediction that a device computes."""

    module: KeyframesModule
    texts: Sequence[Sequence[str]]
    """of each frame"""
    found: list[tuple[Any, int]]
    """for the pairs of frame and text, in order: what the module gave, and for how many"""
    rows: Download | None
    """the embeddings, where they are kept"""
    sizes: _EmbeddingSize

    @property
    def is_ready(self) -> bool:
        return not any(isinstance(of, Download) and not of.is_ready for of, _ in self.found)

    def collect(self) -> list[Scores]:
        values: list[float] = []
        with _predicting(self.module):
            for of, count in self.found:
                scores = of.result() if isinstance(of, Download) else of
                values += finite_scores(scores, count, self.module)
            kept: Sequence[Any] = [None] * len(self.texts)
            if self.rows is not None:
                kept = self.sizes.checked(self.rows.result(), self.module)
        rest = iter(values)
        return [
            (list(itertools.islice(rest, len(own))), row)
            for own, row in zip(self.texts, kept, strict=True)
        ]


@dataclass
class _EmbeddingSize:
    """How many numbers an embedding has, once the first is known."""

    size: int | None = None

    def checked(self, rows: Any, module: KeyframesModule) -> Any:
        found = finite_embeddings(rows, module, size=self.size)
        self.size = found[0].size
        return found


@dataclass
class _Computed:
    """A prediction that was computed in parts."""

    scores: list[Scores]

    @property
    def is_ready(self) -> bool:
        return True

    def collect(self) -> list[Scores]:
        return self.scores


class Predictor:
    """Asks a module for scores. For one thread.

    Args:
        module: set up already.
        batch_size: the most frames that are given to a module which does not say more.
        embeddings: keep the embedding of each frame beside its scores.
    """

    def __init__(
        self, module: KeyframesModule, batch_size: int, *, embeddings: bool = False
    ) -> None:
        self.most = max(batch_size, module.preferred_batch or 0)
        """the most frames of a batch; fewer once the GPU's memory was too small"""
        self._module = module
        self._embeddings = embeddings
        self._sizes = _EmbeddingSize()

    def begin(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        *,
        by: KeyframesModule | None = None,
        **exact: bool,
    ) -> Prediction:
        """Ask for the scores of N frames for their texts.

        Where the GPU's memory is too small, the batch is computed in two halves, and later batches
        are as small.

        Args:
            inputs: N results of `preprocess`.
            texts: of each frame.
            by: another module than the own one.
            **exact: `exact=True` for a module with a tolerance.

        Raises:
            AcceleratorError: the GPU does not compute any more.
            KeyframesError: any other failure, of the module or its own.
        """
        try:
            with _predicting(by or self._module):
                return self._asked(inputs, texts, by, **exact)
        except _OutOfMemoryError as error:
            self._halve(len(inputs), error)
        middle = len(inputs) // 2
        parts = slice(middle), slice(middle, None)
        scores = [self.begin(inputs[p], texts[p], by=by, **exact).collect() for p in parts]
        return _Computed([*scores[0], *scores[1]])

    def _asked(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        by: KeyframesModule | None,
        **exact: bool,
    ) -> _Asked:
        import torch

        pairs = [(i, text) for i, own in enumerate(texts) for text in own]
        module, embeddings = by or self._module, self._embeddings and by is None
        rows: Any = None
        found: list[tuple[Any, int]] = []
        with torch.inference_mode():
            if embeddings or is_cosine(module):
                rows = cast(EmbeddingModule, module).unit_embeddings(inputs, **exact)
            for part in _slices(len(pairs), self.most if rows is None else PAIRS):
                frames, of = zip(*pairs[part], strict=True)
                if rows is None:
                    predict_step: Any = module.predict_step
                    found.append((predict_step([inputs[i] for i in frames], of, **exact), len(of)))
                    continue
                has_one_text = len(pairs) == len(rows)
                own = rows[part] if has_one_text else rows[indices_on(rows.device, frames)]
                products = cast(EmbeddingModule, module).products(own, of)
                found.append((Download(products), len(of)))
        kept = Download(rows) if embeddings else None
        return _Asked(module, texts, found, kept, self._sizes)

    def _halve(self, count: int, error: _OutOfMemoryError) -> None:
        import torch

        if count == 1:
            raise AcceleratorError(
                f"{error}, even for one frame; other processes may use it (nvidia-smi shows them): "
                "give each task a GPU of its own, or use a smaller model"
            ) from error
        self.most = max(1, min(self.most, count) // 2)
        logger.warning("%s; batches have at most %d frames from now on", error, self.most)
        torch.cuda.empty_cache()  # what is left of the batch, in pieces of its own sizes


@contextmanager
def _predicting(module: KeyframesModule) -> Iterator[None]:
    """Name the module in what it raises, and tell the GPU's faults from its own."""
    with calling("predict_step", module, ModuleError, "clip"), _device_faults():
        yield


@contextmanager
def _device_faults() -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _OutOfMemoryError(f"the GPU's memory is too small: {_first_line(error)}") from error
    except RuntimeError as error:
        # torch 2.8 and later have a class for it. The process cannot use the GPU after it.
        kind = getattr(torch, "AcceleratorError", None)
        if (kind is not None and isinstance(error, kind)) or str(error).startswith("CUDA error"):
            raise AcceleratorError(
                f"the GPU does not compute any more: {_first_line(error)}; the rows of this task "
                "have to be computed again in a new process, as Spark does by itself. If it comes "
                "back, look for Xid in dmesg and at nvidia-smi -q"
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
