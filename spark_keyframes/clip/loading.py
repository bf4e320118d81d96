"""Loads an image-text encoder: weights, tokenizer and the settings of its image processor."""

import contextlib
import functools
import json
import logging
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_keyframes.clip.damage import damage_of
from spark_keyframes.clip.families import Family, family_of
from spark_keyframes.clip.files import model_file
from spark_keyframes.clip.model import Clip
from spark_keyframes.clip.precision import Dtype, Precision, resolve_precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.clip.versions import dtype_option
from spark_keyframes.errors import KeyframesError, ModelError, ModelNotFoundError
from spark_keyframes.redaction import redact_url

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

_REASON = 300  # characters of another package's message


def load_clip(
    model_path: str, clip_model_name: str, *, device: "torch.device", dtype: Dtype
) -> Clip:
    """Load CLIP, or an encoder of another family.

    Args:
        model_path: folder that holds models; empty: the Hugging Face Hub, with its cache and its
            environment variables (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE).
        clip_model_name: folder below model_path, or the model's name on the Hub.
        device: where to compute.
        dtype: see `resolve_precision`.

    Raises:
        ModelNotFoundError: there is no model.
        ModelError: what is there cannot be used.
    """
    precision = resolve_precision(dtype, device)
    source = model_source(model_path, clip_model_name)
    if model_path:
        check_model_folder(model_path, clip_model_name)
    clip = Clip(*load_parts(source, device, precision, local=bool(model_path)))
    logger.info(
        "loaded %s %s on %s: dtype %s runs as %s",
        clip.family.name,
        source,
        device,
        dtype,
        precision,
    )
    return clip


def model_source(model_path: str, clip_model_name: str) -> str:
    """Return the model's folder, or its name on the Hub, as transformers takes either."""
    return str(Path(model_path) / clip_model_name) if model_path else clip_model_name


def check_model_folder(
    model_path: str, model_name: str, *, parameter: str = "clip_model_name"
) -> None:
    """Raise ModelNotFoundError unless the folder of a model exists; nothing is loaded.

    Args:
        model_path: as for `load_clip`.
        model_name: folder below model_path.
        parameter: which one `model_name` is, for the message.
    """
    folder = Path(model_path, model_name)
    if not Path(folder, "config.json").is_file():
        raise ModelNotFoundError(
            f"no model in {redact_url(str(folder.absolute()))!r} on {platform.node()} "
            f"(model_path {redact_url(model_path)!r}, {parameter} {redact_url(model_name)!r}): "
            "there is no config.json; set model_path to a "
            'folder that holds the model, or to "" to load it from the Hugging Face Hub'
        )


class Parts(NamedTuple):
    """What a model is loaded as, in the order of the arguments of Clip."""

    model: Any
    """of transformers, on the device that was asked for"""
    tokenizer: Any
    preprocessor: Preprocessor
    precision: Precision
    family: Family


def load_parts(
    source: str,
    device: "torch.device",
    precision: Precision,
    *,
    local: bool,
    families: Callable[[dict[str, Any], str], Family] = family_of,
    half: bool = False,
) -> Parts:
    """Load a model with all that belongs to it.

    Args:
        source: as from `model_source`.
        device: where to compute.
        precision: how to compute.
        local: whether `source` is a folder.
        families: returns the family for the contents of config.json, and raises ModelError where
            there is none.
        half: load the weights in float16. By default they are in float32.

    Raises: as `load_clip`.
    """
    import torch

    dtype = torch.float16 if half else torch.float32
    settings, family = _settings_and_family(source, families, local=local)
    read = functools.partial(
        reading, source=source, local=local, kind=family.name, parameter=family.parameter
    )
    with _quiet():
        with read("config.json"):
            config = family.config(settings)
            _check_sizes(config.vision_config, source)
            family.check_config(config, source)
        with read("the weights"):
            # Mismatched sizes are not ignored: the report is checked. Otherwise it would go to the
            # log, and not into the error.
            model, report = family.model_class().from_pretrained(
                source,
                config=config,
                **{dtype_option(): dtype},
                local_files_only=local,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            _check_weights(report, source, family)
        with read("the tokenizer"):
            tokenizer = family.load_tokenizer(source, config, local=local)
            family.check_tokenizer(tokenizer, config.text_config, source)
        preprocessor = _load_preprocessor(family, source, local=local)
    image_size = config.vision_config.image_size
    if preprocessor.crop != image_size:
        verb = "squashes" if preprocessor.squash else "crops"
        raise ModelError(
            f"preprocessor_config.json of {source!r} {verb} to {preprocessor.crop} pixels, but the "
            f"model sees {image_size} (vision_config.image_size in config.json); correct one"
        )
    with read("the model", local=True):
        model = model.to(device).eval().requires_grad_(False)
        return Parts(model, tokenizer, preprocessor, precision, family)


def load_preprocessor(source: str, *, local: bool) -> Preprocessor:
    """Return how a model wants its frames; ModelError where that cannot be done here.

    Args:
        source: as from `model_source`.
        local: whether it is a folder.
    """
    _, family = _settings_and_family(source, family_of, local=local)
    return _load_preprocessor(family, source, local=local)


def _load_preprocessor(family: Family, source: str, *, local: bool) -> Preprocessor:
    with reading("preprocessor_config.json", source, local=local, kind=family.name):
        processor = family.load_image_processor(source, local=local)
        return Preprocessor.from_image_processor(processor)


def _settings_and_family(
    source: str, families: Callable[[dict[str, Any], str], Family], *, local: bool
) -> tuple[dict[str, Any], Family]:
    """The contents of config.json, and the family that it names."""
    with reading("config.json", source, local=local, kind="an image-text encoder"):
        path = model_file(source, "config.json", local=local)
        if path is None:
            raise FileNotFoundError("there is no config.json")
        settings = json.loads(path.read_bytes())
        return settings, families(settings, source)


@contextlib.contextmanager
def reading(
    part: str,
    source: str,
    *,
    local: bool,
    kind: str = "CLIP",
    parameter: str = "clip_model_name",
) -> Iterator[None]:
    """Turn all errors into ModelError or ModelNotFoundError that name this part of the model.

    Each file may hold anything, and transformers, tokenizers, safetensors and torch raise whatever
    they meet.

    Args:
        part: what is read, for the message.
        source: as from `model_source`.
        local: whether it is a folder.
        kind: what the model should be, for the message.
        parameter: which one names the model, for the message.
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
                f"the Hugging Face Hub gave no model {source!r}: {reason}; check "
                f"{parameter} and the network (HF_ENDPOINT names a mirror, HF_TOKEN a login), "
                "or set model_path to a folder that holds the model"
            ) from error
        damage = damage_of(Path(source)) if local else ""
        advice = "use a folder to which transformers saved the model, tokenizer and processor"
        raise ModelError(
            f"the model in {source!r} cannot be loaded as {kind}: "
            + (damage or f"{part}: {reason}; {advice}")
        ) from error


def _check_sizes(vision_config: Any, source: str) -> None:
    patch, image = vision_config.patch_size, vision_config.image_size
    if not (isinstance(patch, int) and isinstance(image, int) and 0 < patch <= image):
        raise ModelError(
            f"config.json of {source!r} has vision_config.patch_size {patch} and image_size "
            f"{image}; a patch is at least 1 pixel and at most the image; correct it"
        )


def _check_weights(report: Any, source: str, family: Family) -> None:
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the weights of {source!r} lack {len(missing)} tensors of a {family.name} model "
            f"({missing[0]}, …) and would be random; use a checkpoint saved from "
            f"{family.model_class().__name__}"
        )
    if mismatched := sorted(report["mismatched_keys"]):
        first = mismatched[0]
        if isinstance(first, str):  # some versions of transformers do not report the shapes
            what = f"{first} has another shape than the config says"
        else:
            name, found, wanted = first
            what = f"{name} has shape {tuple(found)}, and the config says {tuple(wanted)}"
        raise ModelError(
            f"the weights of {source!r} do not fit its config.json: {what} (tensors that differ: "
            f"{len(mismatched)}); use both files of the same model"
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
