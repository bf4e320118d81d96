"""Loads a CLIP model: weights, tokenizer and the settings of its image processor."""

import contextlib
import logging
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.checks import lone_surrogate
from spark_keyframes.clip.precision import TOLERANCE, Dtype, Precision, resolve_precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.clip.vision import vision_tower
from spark_keyframes.errors import InvalidTextError, ModelError, ModelNotFoundError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

# Whitespace as the tokenizer understands it, which is Unicode's: Python's has four more.
_WHITESPACE = re.compile(r"[^\S\x1c-\x1f]+")
# A token is made of at least one character, but normalisation joins up to 3 to one. The rest leaves
# room for a last word that is cut.
_ROOM = 8


class Clip:
    """A CLIP model on a device: images and texts in, embeddings out.

    `load_clip` makes one. Only `preprocessor` may be used by several threads at once.
    """

    def __init__(
        self, model: Any, tokenizer: Any, preprocessor: Preprocessor, precision: Precision
    ) -> None:
        self.preprocessor = preprocessor
        self.precision = precision
        self._vision = vision_tower(model, preprocessor, precision)
        self._model = model
        self._tokenizer = tokenizer
        self._context: int = model.config.text_config.max_position_embeddings
        longest_token = max(map(len, tokenizer.get_vocab()))
        self._most_characters = _ROOM * self._context * longest_token

    @property
    def device(self) -> "torch.device":
        """Where the weights are."""
        device: torch.device = self._model.device
        return device

    @property
    def tolerance(self) -> float:
        """How far similarities may be off, see TOLERANCE; 0 in full precision."""
        return TOLERANCE.get(self.precision, 0.0)

    def embed_text(self, text: str) -> "torch.Tensor":
        """Return the unit-length embedding of `text`, float32 of shape (D,) on `device`.

        Longer texts are truncated to the model's context as CLIP does, 77 tokens for OpenAI's.

        Raises:
            InvalidTextError: the text is not valid Unicode.
        """
        import torch

        tokens = self._tokenizer(
            self._beginning(text), truncation=True, max_length=self._context, return_tensors="pt"
        ).to(self.device)
        # In float32 at any precision: an error here would be in every score.
        with torch.inference_mode():
            return _unit(self._model.get_text_features(**tokens).pooler_output)[0]

    def _beginning(self, text: str) -> str:
        """Return the characters that can matter: the tokenizer takes 1.5 s for each million."""
        if wrong := lone_surrogate(text):
            raise InvalidTextError(f"the text {wrong}")
        if len(text) > self._most_characters:
            text = _WHITESPACE.sub(" ", text)
        return text[: self._most_characters]

    def embed_images(self, pixels: "torch.Tensor", *, exact: bool = False) -> "torch.Tensor":
        """Return unit-length embeddings of N×3×S×S uint8, float32 of shape (N, D) on `device`.

        `exact` computes in the weights' own precision.
        """
        import torch

        with torch.inference_mode():
            return _unit(self._vision.embed(pixels, exact=exact))


def _unit(features: "torch.Tensor") -> "torch.Tensor":
    """Scale rows to length 1, in float32 whatever the model's precision."""
    import torch

    return torch.nn.functional.normalize(features.float(), dim=-1)


def load_clip(
    model_path: str, clip_model_name: str, *, device: "torch.device", dtype: Dtype
) -> Clip:
    """Load a CLIP model.

    Args:
        model_path: folder that holds models; empty: the Hugging Face Hub, with its cache and its
            environment variables (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE).
        clip_model_name: folder below model_path, or the model's name on the Hub.
        device: where to compute.
        dtype: see `resolve_precision`.

    Raises:
        ModelNotFoundError: there is no model.
        ModelError: what is there is no usable CLIP model.
    """
    precision = resolve_precision(dtype, device)
    source = str(Path(model_path) / clip_model_name) if model_path else clip_model_name
    if model_path:
        _check_folder(source, model_path, clip_model_name)
    clip = _load(source, device, precision, local=bool(model_path))
    logger.info("loaded CLIP %s on %s: dtype %s runs as %s", source, device, dtype, precision)
    return clip


def _check_folder(folder: str, model_path: str, clip_model_name: str) -> None:
    if not Path(folder, "config.json").is_file():
        raise ModelNotFoundError(
            f"no CLIP model in {str(Path(folder).absolute())!r} on {platform.node()} "
            f"(model_path {model_path!r}, "
            f"clip_model_name {clip_model_name!r}): there is no config.json; set model_path to a "
            'folder that holds the model, or to "" to load it from the Hugging Face Hub'
        )


def _load(source: str, device: "torch.device", precision: Precision, *, local: bool) -> Clip:
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    # CLIPImageProcessor itself wants torchvision and warns without it.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    dtype = torch.float16 if precision == "float16" else torch.float32
    try:
        with _quiet():
            model, report = CLIPModel.from_pretrained(
                source, dtype=dtype, local_files_only=local, output_loading_info=True
            )
            tokenizer = CLIPTokenizer.from_pretrained(source, local_files_only=local)
            processor = CLIPImageProcessorPil.from_pretrained(source, local_files_only=local)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        # transformers says OSError for everything from a 404 to a missing weights file.
        raise _load_error(source, error, local=local) from error
    if report["missing_keys"]:
        raise ModelError(
            f"the weights of {source!r} lack {len(report['missing_keys'])} tensors of a CLIP model "
            f"({sorted(report['missing_keys'])[0]}, …) and would be random; "
            "use a checkpoint saved from CLIPModel"
        )
    _check_text_end(model.config.text_config.eos_token_id, tokenizer, source)
    preprocessor = Preprocessor.from_image_processor(processor)
    image_size = model.config.vision_config.image_size
    if preprocessor.crop != image_size:
        raise ModelError(
            f"preprocessor_config.json of {source!r} crops to {preprocessor.crop} pixels, but the "
            f"model sees {image_size} (vision_config.image_size in config.json); correct one"
        )
    model = model.to(device).eval().requires_grad_(False)
    return Clip(model, tokenizer, preprocessor, precision)


def _load_error(source: str, error: Exception, *, local: bool) -> ModelError | ModelNotFoundError:
    reason = str(error).strip().split("\n")[0]
    if local or not isinstance(error, OSError):
        return ModelError(f"the model in {source!r} cannot be loaded as CLIP: {reason}")
    return ModelNotFoundError(
        f"the Hugging Face Hub gave no CLIP model {source!r}: {reason}; check clip_model_name and "
        "the network (HF_ENDPOINT names a mirror, HF_TOKEN a login), "
        "or set model_path to a folder that holds the model"
    )


def _check_text_end(eos_token_id: int, tokenizer: Any, source: str) -> None:
    # CLIP reads a text's meaning at its end token. With a wrong id it silently reads position 0,
    # and every text means the same. 2 is how OpenAI's own files say "the highest id".
    if eos_token_id not in (2, tokenizer.eos_token_id):
        raise ModelError(
            f"text_config.eos_token_id of {source!r} is {eos_token_id}, but its tokenizer ends "
            f"texts with {tokenizer.eos_token_id}: every text would mean the same; "
            "correct config.json"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars in a job's log, and no thread that converts weights through the Hub."""
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
