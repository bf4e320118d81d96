"""Loads a CLIP model: weights, tokenizer and the settings of its image processor."""

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.clip.damage import damage_of
from spark_keyframes.clip.model import Clip
from spark_keyframes.clip.precision import Dtype, Precision, resolve_precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.errors import KeyframesError, ModelError, ModelNotFoundError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

# Vocabularies are padded to a multiple of up to this, so that matrices have a quick size.
_PADDING = 256
_REASON = 300  # characters of another package's message


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
    source = model_source(model_path, clip_model_name)
    if model_path:
        check_model_folder(model_path, clip_model_name)
    clip = _load(source, device, precision, local=bool(model_path))
    logger.info("loaded CLIP %s on %s: dtype %s runs as %s", source, device, dtype, precision)
    return clip


def model_source(model_path: str, clip_model_name: str) -> str:
    """Return the model's folder, or its name on the Hub, as transformers takes either."""
    return str(Path(model_path) / clip_model_name) if model_path else clip_model_name


def check_model_folder(model_path: str, clip_model_name: str) -> None:
    """Raise ModelNotFoundError unless the folder of a model exists; nothing is loaded."""
    folder = Path(model_path, clip_model_name)
    if not Path(folder, "config.json").is_file():
        raise ModelNotFoundError(
            f"no CLIP model in {str(Path(folder).absolute())!r} on {platform.node()} "
            f"(model_path {model_path!r}, "
            f"clip_model_name {clip_model_name!r}): there is no config.json; set model_path to a "
            'folder that holds the model, or to "" to load it from the Hugging Face Hub'
        )


def _load(source: str, device: "torch.device", precision: Precision, *, local: bool) -> Clip:
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    dtype = torch.float16 if precision == "float16" else torch.float32
    where: dict[str, Any] = {"local_files_only": local}
    with _quiet():
        with reading("config.json", source, local=local):
            config = CLIPConfig.from_pretrained(source, **where)
            _check_sizes(config.vision_config, source)
        with reading("the weights", source, local=local):
            # Not ignored: the report is checked. Otherwise it would go to the log, and not into
            # the error.
            where |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
            model, report = CLIPModel.from_pretrained(source, config=config, dtype=dtype, **where)
            _check_weights(report, source)
        where = {"local_files_only": local}
        with reading("the tokenizer", source, local=local):
            tokenizer = CLIPTokenizer.from_pretrained(source, **where)
            _check_tokenizer(tokenizer, config.text_config, source)
        preprocessor = load_preprocessor(source, local=local)
    image_size = config.vision_config.image_size
    if preprocessor.crop != image_size:
        raise ModelError(
            f"preprocessor_config.json of {source!r} crops to {preprocessor.crop} pixels, but the "
            f"model sees {image_size} (vision_config.image_size in config.json); correct one"
        )
    with reading("the model", source, local=True):
        model = model.to(device).eval().requires_grad_(False)
        return Clip(model, tokenizer, preprocessor, precision)


def load_preprocessor(source: str, *, local: bool) -> Preprocessor:
    """Return how a model wants its frames; ModelError where that cannot be done here.

    Args:
        source: as from `model_source`.
        local: whether it is a folder.
    """
    # CLIPImageProcessor itself wants torchvision and warns without it.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    with reading("preprocessor_config.json", source, local=local):
        processor = CLIPImageProcessorPil.from_pretrained(source, local_files_only=local)
        return Preprocessor.from_image_processor(processor)


@contextlib.contextmanager
def reading(part: str, source: str, *, local: bool) -> Iterator[None]:
    """Turn all errors into ModelError or ModelNotFoundError that name this part of the model.

    Each file may hold anything, and transformers, tokenizers, safetensors and torch raise whatever
    they meet.

    Args:
        part: what is read, for the message.
        source: as from `model_source`.
        local: whether it is a folder.
    """
    try:
        yield
    except KeyframesError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {text[:_REASON] or 'no message'}"
        if not local and isinstance(error, OSError):
            raise ModelNotFoundError(
                f"the Hugging Face Hub gave no CLIP model {source!r}: {reason}; check "
                "clip_model_name and the network (HF_ENDPOINT names a mirror, HF_TOKEN a login), "
                "or set model_path to a folder that holds the model"
            ) from error
        damage = damage_of(Path(source)) if local else ""
        advice = "use a folder saved by CLIPModel, CLIPTokenizer and CLIPProcessor"
        raise ModelError(
            f"the model in {source!r} cannot be loaded as CLIP: "
            + (damage or f"{part}: {reason}; {advice}")
        ) from error


def _check_sizes(vision_config: Any, source: str) -> None:
    patch, image = vision_config.patch_size, vision_config.image_size
    if not 0 < patch <= image:
        raise ModelError(
            f"config.json of {source!r} has vision_config.patch_size {patch} and image_size "
            f"{image}; a patch is at least 1 pixel and at most the image; correct it"
        )


def _check_weights(report: Any, source: str) -> None:
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the weights of {source!r} lack {len(missing)} tensors of a CLIP model "
            f"({missing[0]}, …) and would be random; use a checkpoint saved from CLIPModel"
        )
    if mismatched := sorted(report["mismatched_keys"]):
        name, found, wanted = mismatched[0]
        raise ModelError(
            f"the weights of {source!r} do not fit its config.json: {name} has shape "
            f"{tuple(found)}, and the config says {tuple(wanted)} (tensors that differ: "
            f"{len(mismatched)}); use both files of the same model"
        )


def _check_tokenizer(tokenizer: Any, text_config: Any, source: str) -> None:
    size = text_config.vocab_size
    if not 0 <= size - len(tokenizer) < _PADDING:
        # transformers makes an almost empty tokenizer where there are no files of one.
        raise ModelError(
            f"the tokenizer of {source!r} knows {len(tokenizer)} tokens, and the model {size} "
            "(text_config.vocab_size in config.json): its files are missing or of another model; "
            "add tokenizer.json, or vocab.json and merges.txt, of the same model"
        )
    # CLIP reads a text's meaning at its end token. With a wrong id it silently reads position 0,
    # and every text means the same. 2 is how OpenAI's own files say "the highest id".
    if text_config.eos_token_id not in (2, tokenizer.eos_token_id):
        raise ModelError(
            f"text_config.eos_token_id of {source!r} is {text_config.eos_token_id}, but its "
            f"tokenizer ends texts with {tokenizer.eos_token_id}: every text would mean the same; "
            "correct config.json"
        )
    # It reads up to the first end token, which also stands for words that a vocabulary lacks.
    dog, car = (tokenizer(text)["input_ids"] for text in ("dog", "car"))
    if dog[:2] == car[:2] or tokenizer.eos_token_id in (dog[1], car[1]):
        raise ModelError(
            f"the tokenizer of {source!r} cannot tell one text from another; use tokenizer.json, "
            "or vocab.json and merges.txt, of the same model"
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
