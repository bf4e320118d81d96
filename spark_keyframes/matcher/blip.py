"""BLIP's image-text matching: frames and texts in, probabilities out.

Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
Understanding and Generation", arXiv 2201.12086. The paper on Adaptive Keyframe Sampling scores
frames with it.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.checks import lone_surrogate
from spark_keyframes.clip.families import Family, refuse_own_code
from spark_keyframes.clip.loading import Parts, check_model_folder, load_parts, model_source
from spark_keyframes.clip.precision import Dtype, Precision
from spark_keyframes.errors import InvalidTextError, ModelError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

# Far more than the 512 tokens that the model reads. The tokenizer would take seconds for megabytes.
_MOST_CHARACTERS = 100_000


class BlipFamily(Family):
    """BLIP with a head for image-text matching."""

    name = "BLIP"
    model_type = "blip"
    prefix = "Blip"
    parameter = "rerank"
    image_processor = ("blip", "BlipImageProcessor")
    vocabulary = ("vocab.txt",)

    def model_class(self) -> Any:
        """See Family."""
        from transformers import BlipForImageTextRetrieval

        return BlipForImageTextRetrieval


_SUPPORTED = (
    'rerank takes a BlipForImageTextRetrieval ("blip"), such as Salesforce/blip-itm-base-coco'
)


def _blip(settings: dict[str, Any], source: str) -> Family:
    refuse_own_code(settings, source, _SUPPORTED)
    model_type = settings.get("model_type")
    if model_type != BlipFamily.model_type:
        raise ModelError(f"config.json of {source!r} has model_type {model_type!r}; {_SUPPORTED}")
    return BlipFamily()


def load_blip(model_path: str, model_name: str, *, device: "torch.device", dtype: Dtype) -> "Blip":
    """Load a BlipForImageTextRetrieval.

    Args:
        model_path: as for `load_clip`.
        model_name: folder below model_path, or the model's name on the Hub.
        device: where to compute.
        dtype: float16 is float16 on a GPU, and float32 on a CPU.

    Raises:
        ModelNotFoundError: there is no model.
        ModelError: what is there cannot be used.
    """
    if model_path:
        check_model_folder(model_path, model_name, parameter=BlipFamily.parameter)
    source = model_source(model_path, model_name)
    precision: Precision = "float16" if dtype == "float16" and device.type != "cpu" else "float32"
    parts = load_parts(
        source,
        device,
        precision,
        local=bool(model_path),
        families=_blip,
        half=precision == "float16",
    )
    logger.info("loaded BLIP %s on %s: dtype %s runs as %s", source, device, dtype, precision)
    return Blip(parts)


class Blip:
    """A BlipForImageTextRetrieval on a device. Only `pixels` may be called by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._preprocessor = parts.preprocessor
        self._model, self._tokenizer = parts.model, parts.tokenizer
        self._context = parts.family.context(parts.model.config.text_config, parts.tokenizer)

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Squash H×W×3 uint8 to a 3×S×S uint8 tensor on the CPU, as BLIP's image processor does.

        By Pillow: torch's resize differs by 1 in up to 0.5 % of the values. That moved
        probabilities by up to 3e-4, far more than it moves cosines.
        """
        import torch
        from PIL import Image

        side = self._preprocessor.crop
        resampling = Image.Resampling[self._preprocessor.resampling.upper()]
        picture = Image.fromarray(rgb).resize((side, side), resampling)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()

    def probabilities(
        self, pixels: Sequence["torch.Tensor"], texts: Sequence[str]
    ) -> "torch.Tensor":
        """Return the probability that each picture and its text match, float32 of shape (N,).

        A picture that comes several times goes through the image tower once; each pair takes one
        pass of the text tower, which attends to the picture.

        Args:
            pixels: N results of `self.pixels`.
            texts: N texts. Each is read up to the model's context, 512 tokens.

        Raises:
            InvalidTextError: a text is not valid Unicode.
        """
        import torch

        model = self._model
        tokens = self._tokens(texts)
        once = {id(each): each for each in pixels}
        places = {key: place for place, key in enumerate(once)}
        with torch.inference_mode():
            stacked = torch.stack([*once.values()]).to(model.device, non_blocking=True)
            normal = self._preprocessor.normalise(stacked).to(model.dtype)
            seen = model.vision_model(pixel_values=normal).last_hidden_state
            of_pairs = seen[[places[id(each)] for each in pixels]]
            # No mask of the image: all of it is attended to.
            read = model.text_encoder(**tokens, encoder_hidden_states=of_pairs).last_hidden_state
            return torch.softmax(model.itm_head(read[:, 0]).float(), dim=1)[:, 1]

    def _tokens(self, texts: Sequence[str]) -> Any:
        for text in texts:
            if wrong := lone_surrogate(text):
                raise InvalidTextError(f"the text {wrong}")
        return self._tokenizer(
            [text[:_MOST_CHARACTERS] for text in texts],
            padding=True,
            truncation=True,
            max_length=self._context,
            return_token_type_ids=False,
            return_tensors="pt",
        ).to(self._model.device)
