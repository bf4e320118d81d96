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

from spark_keyframes.errors import AcceleratorError, ModuleError
from spark_keyframes.gpu_faults import GpuMemoryError, gpu_faults
from spark_keyframes.hooks import calling, finite_embeddings, finite_scores
from spark_keyframes.module import EmbeddingModule, KeyframesModule, is_cosine
from spark_keyframes.transfer import Download, indices_on

logger = logging.getLogger("spark_keyframes")

Embedding = npt.NDArray[np.float32]
Scores = tuple[Sequence[float], Embedding | None]
"""of a frame: one number for each text, and the frame's embedding where it is needed"""

_PAIRS = 4096  # of embeddings that are compared at a time


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
    found: list[tuple[Download | list[float], int]]
    """for the pairs of frame and text, in order: the scores, and of how many pairs they are"""
    rows: Download | None
    """the embeddings, where they are kept"""
    sizes: _EmbeddingSize

    @property
    def is_ready(self) -> bool:
        asked = [self.rows, *(of for of, _ in self.found)]
        return not any(isinstance(of, Download) and not of.is_ready for of in asked)

    def collect(self) -> list[Scores]:
        values: list[float] = []
        with _predicting(self.module):
            for of, count in self.found:
                if isinstance(of, Download):
                    values += finite_scores(of.result(), count, self.module)
                else:
                    values += of
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
        self._module = module
        self._batch_size = batch_size
        self._embeddings = embeddings
        self._sizes = _EmbeddingSize()
        self._lowered: dict[int, int] = {}
        """the most frames of a batch, by the id of the module, after a lack of memory"""

    @property
    def most(self) -> int:
        """The most frames of a batch; fewer once the GPU's memory was too small."""
        return self._most_of(self._module)

    def _most_of(self, module: KeyframesModule) -> int:
        usual = max(self._batch_size, module.preferred_batch or 0)
        return self._lowered.get(id(module), usual)

    def begin(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        *,
        by: KeyframesModule | None = None,
        **exact: bool,
    ) -> Prediction:
        """Ask for the scores of N frames for their texts.

        Where the GPU's memory is too small, the batch is computed in parts, each half as large as
        the one that did not fit, and later batches are as small.

        Args:
            inputs: N results of `preprocess`.
            texts: of each frame.
            by: another module than the own one.
            **exact: `exact=True` for a module with a tolerance.

        Raises:
            AcceleratorError: the GPU does not compute any more, or not even for one frame.
            KeyframesError: any other failure, of the module or its own.
        """
        module = by or self._module
        if len(inputs) <= self._most_of(module) or id(module) not in self._lowered:
            asked = self._asked(inputs, texts, module, **exact)
            if isinstance(asked, _Asked):
                return asked
            self._lower(module, len(inputs), texts, asked)
        scores: list[Scores] = []
        while (done := len(scores)) < len(inputs):
            part = slice(done, done + self._most_of(module))
            asked = self._asked(inputs[part], texts[part], module, **exact)
            if isinstance(asked, _Asked):
                scores += asked.collect()
            else:
                self._lower(module, len(inputs[part]), texts[part], asked)
        return _Computed(scores)

    def of_index(self, embeddings: Any, texts: Sequence[str]) -> list[list[float]]:
        """Return the scores of an index for each text.

        Args:
            embeddings: of all candidates, float32 of shape (N, D).
            texts: at least one.

        Raises: as `begin`.
        """
        import torch

        module = cast(EmbeddingModule, self._module)
        scores: list[list[float]] = [[] for _ in texts]
        with (
            calling("embed_texts", module, ModuleError, "clip"),
            gpu_faults(),
            torch.inference_mode(),
        ):
            for text, of_text in zip(texts, scores, strict=True):
                device = module.unit_texts([text])[text].device
                for part in _slices(len(embeddings), _PAIRS):
                    # A copy, since torch takes no read-only memory.
                    rows = torch.tensor(embeddings[part], device=device)
                    found = module.similarities(rows, [text] * len(rows))
                    of_text.extend(finite_scores(found, len(rows), module))
        return scores

    def _asked(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        module: KeyframesModule,
        **exact: bool,
    ) -> _Asked | str:
        """Ask for scores; return why the GPU's memory is too small, where it is."""
        try:
            with _predicting(module):
                return self._given(inputs, texts, module, **exact)
        except GpuMemoryError as error:
            return str(error)  # and not the error, which would keep what the batch took

    def _given(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        module: KeyframesModule,
        **exact: bool,
    ) -> _Asked:
        import torch

        pairs = [(i, text) for i, own in enumerate(texts) for text in own]
        embeddings = self._embeddings and module is self._module
        have_one_text = all(len(own) == 1 for own in texts)
        rows: Any = None
        found: list[tuple[Download | list[float], int]] = []
        with torch.inference_mode():
            if embeddings or is_cosine(module):
                rows = cast(EmbeddingModule, module).unit_embeddings(inputs, **exact)
            for part in _slices(len(pairs), self._most_of(module) if rows is None else _PAIRS):
                frames, of = zip(*pairs[part], strict=True)
                if rows is None:
                    predict_step: Any = module.predict_step
                    given = predict_step([inputs[i] for i in frames], of, **exact)
                    if torch.is_tensor(given) and given.device.type != "cpu":
                        found.append((Download(given.detach()), len(of)))
                    else:  # read at once: the module may use its memory for the next part
                        found.append((finite_scores(given, len(of), module), len(of)))
                    continue
                own = rows[part] if have_one_text else rows[indices_on(rows.device, frames)]
                products = cast(EmbeddingModule, module).products(own, of)
                found.append((Download(products), len(of)))
        kept = Download(rows) if embeddings else None
        return _Asked(module, texts, found, kept, self._sizes)

    def _lower(
        self, module: KeyframesModule, frames: int, texts: Sequence[Sequence[str]], reason: str
    ) -> None:
        """Halve the size of batches, after so many frames did not fit."""
        import torch

        by_frames = is_cosine(module) or (self._embeddings and module is self._module)
        size = frames if by_frames else min(sum(map(len, texts)), self._most_of(module))
        if size <= 1:
            raise AcceleratorError(
                f"{reason}, even for one frame; other processes may use it (nvidia-smi shows "
                "them): give each task a GPU of its own, or use a smaller model"
            )
        self._lowered[id(module)] = most = size // 2
        logger.warning("%s; frames of a batch from now on: at most %d", reason, most)
        torch.cuda.empty_cache()  # what is left of the batch, in pieces of its own sizes


@contextmanager
def _predicting(module: KeyframesModule) -> Iterator[None]:
    """Name the module in what it raises, and tell the GPU's faults from its own."""
    with calling("predict_step", module, ModuleError, "clip"), gpu_faults():
        yield


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
