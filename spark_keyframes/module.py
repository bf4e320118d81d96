"""The model side: what the engine asks of a scoring module, and CLIP as the default one."""

import copy
import math
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip import Clip, Dtype, load_clip, model_preprocessing, model_revision
from spark_keyframes.errors import ModuleError
from spark_keyframes.gpu_faults import gpu_faults
from spark_keyframes.hooks import calling, short_repr
from spark_keyframes.threads import renew_after_fork
from spark_keyframes.video import CentreCrop

if TYPE_CHECKING:
    import torch

# A text per row could mean millions of texts, and a text may be megabytes long.
_TEXT_CACHE_BYTES = 32 * 2**20  # 12,000 texts of 100 characters with embeddings of 512 floats
_ENTRY_BYTES = 500  # of the objects of an entry, besides their contents
_cache_lock = threading.Lock()  # one for all caches, because an object with a lock is not picklable
renew_after_fork(globals(), "_cache_lock", threading.Lock)


class KeyframesModule(ABC):
    """Scores frames against texts. Subclass it to bring a model of your own.

    The names are those of a LightningModule, without a dependency on Lightning. Only
    `predict_step` is obligatory:

        class Brightness(KeyframesModule):
            def preprocess(self, rgb):
                return rgb.mean()

            def predict_step(self, inputs, texts):
                return inputs

    A module must be picklable before `setup`; load models there and not in `__init__`. The engine
    copies the module and calls `setup` on the copy, then `preprocess` from several threads at once,
    and `predict_step` from one for each run. What a hook raises fails the rows of its frames with
    ModuleError, which names the hook and the class; in `setup` it ends the job. A KeyframesError
    that a hook raises keeps its class.
    """

    key: Hashable | None = None
    """Modules of one class with equal keys are interchangeable: a process sets up the first one for
    each device, keeps it between tasks, and uses it for all. None: set up anew for each task."""
    tolerance: float = 0.0
    """How far scores may be off. Above 0, frames whose selection depends on such a difference are
    scored again by `predict_step(inputs, texts, exact=True)`. It may be set in `setup`."""
    keeps_rgb: bool = True
    """Whether what `preprocess` returns may refer to its argument, as a view of it for example. The
    argument is then a copy. False saves the copy."""
    looks_at: CentreCrop | None = None
    """The part of a frame that `preprocess` looks at, for a model that crops the centre; None: all
    of it. Only that part is converted to RGB; the other pixels are undefined. It may be set in
    `setup`. Set it to None where `preprocess` looks at more."""
    preferred_batch: int | None = None
    """As many frames as `predict_step` takes at its fastest, for a GPU. Where more than
    `batch_size` wait, batches have up to this many. It may be set in `setup`."""
    revision: str | None = None
    """Which version of the model this is; results say it in `made_by`. Read without `setup`."""

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def model_name(self) -> str:
        """What results call the model: by default the class with the arguments of `params()`."""
        return short_repr(self)

    def setup(self, device: "torch.device") -> None:  # noqa: B027 - optional
        """Prepare for scoring on `device`: load the model. Called once, before anything else."""

    def preprocess(self, rgb: npt.NDArray[np.uint8]) -> Any:
        """Return what `predict_step` needs of a frame: by default the frame itself.

        Up to 3 × `batch_size` of these wait in memory, or 5 × `preferred_batch`, so return
        something small. Several threads call this at once.

        Args:
            rgb: H×W×3, uint8, RGB, upright, full size; with `looks_at`, undefined elsewhere.
        """
        return rgb

    @abstractmethod
    def predict_step(self, inputs: Sequence[Any], texts: Sequence[str]) -> Any:
        """Return the score of each frame for its own text: N finite floats, higher is better.

        Args:
            inputs: N results of `preprocess`, 1 to `batch_size` of them, or to `preferred_batch`
                if that is more. They may be of several videos, so frames may differ in size. They
                must not be changed: they may be scored again.
            texts: N texts, one for each frame.

        Returns:
            A list, a numpy array or a torch tensor of shape (N,).
        """

    def teardown(self) -> None:  # noqa: B027 - optional
        """Free what `setup` took.

        Called after each task; with a `key` at the end of the process, if that is orderly.
        """


class EmbeddingModule(KeyframesModule):
    """A module whose scores are cosine similarities of image and text embeddings.

    Selectors that compare frames with each other need this kind (`needs_embeddings`). With such a
    selector the scores are these cosines, also where `predict_step` is overridden.
    """

    unit_length: bool = False
    """True: the embeddings have length 1 already, and are not scaled again."""
    preprocessing: str | None = None
    """How frames become inputs, in words. An index keeps it, and refuses another. Read without
    `setup`."""

    @abstractmethod
    def embed_images(self, inputs: Sequence[Any]) -> Any:
        """Return the embeddings of N results of `preprocess`, of shape (N, D), of any length.

        A module with a `tolerance` above 0 also takes the keyword `exact`.
        """

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Any:
        """Return the embeddings of M different texts, of shape (M, D), of any length.

        Called once for each text; the results are kept.
        """

    def predict_step(self, inputs: Sequence[Any], texts: Sequence[str], **exact: bool) -> Any:
        """Return the cosine similarity of each frame and its own text, float32 of shape (N,)."""
        return self.similarities(self.unit_embeddings(inputs, **exact), texts)

    def unit_embeddings(self, inputs: Sequence[Any], **exact: bool) -> "torch.Tensor":
        """Return the embeddings of N frames at length 1, float32 of shape (N, D)."""
        with calling("embed_images", self, ModuleError, "clip"), gpu_faults():
            return _unit_rows(self.embed_images(inputs, **exact), len(inputs), "images", self)

    def similarities(
        self, unit_embeddings: "torch.Tensor", texts: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """Return the cosine similarity of each row and its text, float32 of shape (N,)."""
        result: npt.NDArray[np.float32] = self.products(unit_embeddings, texts).cpu().numpy()
        return result

    def products(self, unit_embeddings: "torch.Tensor", texts: Sequence[str]) -> "torch.Tensor":
        """Return `similarities` as a tensor on the embeddings' device, which may be at work yet."""
        import torch

        rows = self.unit_texts(texts)
        of_texts = torch.stack([rows[text] for text in texts])
        if of_texts.shape != unit_embeddings.shape:
            raise ModuleError(
                f"embed_images of {type(self).__name__} gave {unit_embeddings.shape[1]} numbers, "
                f"and embed_texts {of_texts.shape[1]}; return as many for an image as for a text"
            )
        return (unit_embeddings * of_texts).sum(dim=1)

    def unit_texts(self, texts: Sequence[str]) -> "dict[str, torch.Tensor]":
        """Return the embeddings of texts at length 1, by text: float32 of shape (D,)."""
        # Not made in __init__, which a subclass may not call.
        cache: _TextCache = self.__dict__.setdefault("_text_cache", _TextCache())
        known = {text: cache.get(text) for text in texts}
        rows = {text: row for text, row in known.items() if row is not None}
        missing = [text for text in known if text not in rows]
        if missing:
            with calling("embed_texts", self, ModuleError, "clip"), gpu_faults():
                new = _unit_rows(self.embed_texts(missing), len(missing), "texts", self)
            for text, row in zip(missing, new, strict=True):
                rows[text] = row.clone()  # a view would keep the memory of all rows
                cache.put(text, rows[text])
        return rows


class _TextCache:
    """The embeddings of the texts used last, up to `_TEXT_CACHE_BYTES` with their texts."""

    def __init__(self) -> None:
        self._rows: dict[str, torch.Tensor] = {}
        """The text used last is the last one."""
        self._bytes = 0

    def get(self, text: str) -> "torch.Tensor | None":
        with _cache_lock:
            row = self._rows.pop(text, None)
            if row is not None:
                self._rows[text] = row
            return row

    def put(self, text: str, row: "torch.Tensor") -> None:
        with _cache_lock:
            if text in self._rows or _entry_bytes(text, row) > _TEXT_CACHE_BYTES:
                return
            self._rows[text] = row
            self._bytes += _entry_bytes(text, row)
            while self._bytes > _TEXT_CACHE_BYTES:
                oldest = next(iter(self._rows))
                self._bytes -= _entry_bytes(oldest, self._rows.pop(oldest))


def _entry_bytes(text: str, row: "torch.Tensor") -> int:
    return sys.getsizeof(text) + row.nbytes + _ENTRY_BYTES


class ClipModule(EmbeddingModule):
    """CLIP, from the documented parameters `model_path`, `clip_model_name` and `dtype`."""

    keeps_rgb = False
    unit_length = True

    def __init__(self, *, model_path: str, clip_model_name: str, dtype: Dtype) -> None:
        self.model_path = model_path
        self.clip_model_name = clip_model_name
        self.dtype = dtype
        self._clip: Clip | None = None

    @property
    def key(self) -> Hashable:  # type: ignore[override]
        """Where the model is, and how it computes."""
        folder = str(Path(self.model_path).absolute()) if self.model_path else ""
        return folder, self.clip_model_name, self.dtype

    @property
    def model_name(self) -> str:
        """`clip_model_name`."""
        return self.clip_model_name

    @property
    def revision(self) -> str:  # type: ignore[override]
        """A hash of the model's files; see `model_revision` for what is raised."""
        return model_revision(self.model_path, self.clip_model_name)

    @property
    def preprocessing(self) -> str:  # type: ignore[override]
        """Size, crop and scale of the model's input; see `model_revision` for what is raised."""
        return model_preprocessing(self.model_path, self.clip_model_name)

    @property
    def looks_at(self) -> CentreCrop | None:  # type: ignore[override]
        """What the model sees of a frame; None if `preprocess` is not that of this class."""
        is_own = getattr(self.preprocess, "__func__", None) is ClipModule.preprocess
        return self.clip.preprocessor.looks_at if is_own else None

    def params(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "model_path": self.model_path,
            "clip_model_name": self.clip_model_name,
            "dtype": self.dtype,
        }

    @property
    def clip(self) -> Clip:
        """The model; RuntimeError before `setup`."""
        if self._clip is None:
            raise RuntimeError("call setup(device) first: the model is not loaded")
        return self._clip

    def setup(self, device: "torch.device") -> None:
        """Load the model.

        Raises:
            ModelNotFoundError: there is no model.
            ModelError: the model cannot be used.
        """
        self._clip = load_clip(
            self.model_path, self.clip_model_name, device=device, dtype=self.dtype
        )
        self.tolerance = self._clip.tolerance
        self.preferred_batch = self._clip.preferred_batch

    def preprocess(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Return the 3×S×S uint8 picture that CLIP sees of a frame."""
        return self.clip.preprocessor.pixels(rgb)

    def embed_images(
        self, inputs: "Sequence[torch.Tensor]", *, exact: bool = False
    ) -> "torch.Tensor":
        """Return unit-length embeddings, float32 of shape (N, D), on the model's device."""
        return self.clip.embed_images(self.clip.uploader.stacked(inputs), exact=exact)

    def embed_texts(self, texts: Sequence[str]) -> "torch.Tensor":
        """Return unit-length embeddings, float32 of shape (M, D), on the model's device."""
        import torch

        return torch.stack([self.clip.embed_text(text) for text in texts])

    def teardown(self) -> None:
        """Let go of the model."""
        self._clip = None


def is_cosine(module: KeyframesModule) -> bool:
    """Return whether scores are the cosines of embeddings, made once for several texts."""
    return (
        isinstance(module, EmbeddingModule)
        and type(module).predict_step is EmbeddingModule.predict_step
    )


def copied(module: KeyframesModule) -> KeyframesModule:
    """Return a copy that can be set up without a change to `module`."""
    ready = copy.copy(module)
    # torch.nn.Module keeps its parts in dicts, which a shallow copy would share.
    for name, value in getattr(module, "__dict__", {}).items():
        if isinstance(value, dict):
            object.__setattr__(ready, name, copy.copy(value))
    return ready


def check_settings(module: KeyframesModule) -> None:
    """Raise ValueError if an attribute that the engine uses is not as it must be."""
    tolerance: Any = module.tolerance
    if not isinstance(tolerance, float | int) or not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance must be a finite number of at least 0, got {tolerance!r}")
    preferred: Any = module.preferred_batch
    if preferred is not None and (type(preferred) is not int or preferred < 1):
        raise ValueError(f"preferred_batch must be a number of at least 1, got {preferred!r}")
    looks_at: Any = module.looks_at
    # No subclass: decode processes get the three numbers only.
    if looks_at is not None and type(looks_at) is not CentreCrop:
        raise ValueError(f"looks_at must be a CentreCrop or None, got {looks_at!r}")


def _unit_rows(embeddings: Any, count: int, of: str, module: EmbeddingModule) -> "torch.Tensor":
    """The rows of `embeddings` at length 1, in float32 whatever the model's precision."""
    import torch

    if isinstance(embeddings, (list, tuple)):
        embeddings = torch.stack([torch.as_tensor(row) for row in embeddings])
    rows = torch.as_tensor(embeddings).detach().float()
    if rows.dim() != 2 or len(rows) != count:
        raise ModuleError(
            f"embed_{of} of {type(module).__name__} gave shape {tuple(rows.shape)} for {count} "
            f"{of}; return one row for each"
        )
    return rows if module.unit_length else torch.nn.functional.normalize(rows, dim=-1)
