"""Handles the differences between versions of transformers.

Features are detected, not inferred from the version number. docs/versions.md lists them.
"""

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ModelError

if TYPE_CHECKING:
    import torch


def transformers_class(name: str, family: str) -> Any:
    """Return a class of transformers.

    Args:
        name: of the class.
        family: of the encoder, for the message.

    Raises:
        ModelError: this transformers is older than the family.
    """
    import transformers

    found = getattr(transformers, name, None)
    if found is None:
        raise ModelError(
            f"transformers {transformers.__version__} has no {name}, which {family} needs; install "
            "a newer one, or use a model of another family"
        )
    return found


def image_processor_class(folder: str, name: str) -> Any:
    """Return the class of an image processor that needs no torchvision.

    Newer versions call it by its name and "Pil", and the class without "Pil" wants torchvision. In
    older ones it has the plain name.

    Args:
        folder: of the family in `transformers.models`.
        name: of the class, without "Pil".
    """
    home = f"transformers.models.{folder}.image_processing_"
    pil = find_spec(f"{home}pil_{folder}") is not None
    module = importlib.import_module(f"{home}{'pil_' if pil else ''}{folder}")
    # In transformers 5.5, BLIP's has the plain name there too.
    return getattr(module, f"{name}Pil", None) or getattr(module, name)


def clip_tokenizer_class() -> Any:
    """Return CLIP's tokenizer in Rust. Since transformers 5 it is the only one."""
    import transformers

    return getattr(transformers, "CLIPTokenizerFast", transformers.CLIPTokenizer)


def dtype_option() -> str:
    """Return what `from_pretrained` calls the weights' dtype; older versions say torch_dtype."""
    from transformers import PretrainedConfig

    # Not of a model's config: there, either name may come from the file.
    return "dtype" if hasattr(PretrainedConfig(), "dtype") else "torch_dtype"


def embeddings_of(output: Any) -> "torch.Tensor":
    """Return what `get_text_features` or `get_image_features` computed, of shape (N, D).

    Before transformers 5 they return the tensor itself.
    """
    embeddings: torch.Tensor = getattr(output, "pooler_output", output)
    return embeddings


def pixels_of(size: Any, side: str) -> int | None:
    """Return one of an image processor's sizes, such as "height", or None if it has none.

    Sizes have attributes in transformers 5, and are dictionaries before.
    """
    found: int | None = size.get(side) if isinstance(size, Mapping) else getattr(size, side, None)
    return found
