"""An image-text encoder on a device: images and texts in, embeddings out."""

import re
from typing import TYPE_CHECKING, Any

from spark_keyframes.checks import lone_surrogate
from spark_keyframes.clip.families import Family
from spark_keyframes.clip.precision import Precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.clip.vision import vision_tower
from spark_keyframes.errors import InvalidTextError
from spark_keyframes.transfer import Uploader

if TYPE_CHECKING:
    import torch

# Whitespace as the tokenizer understands it, which is Unicode's: Python's has four more.
_WHITESPACE = re.compile(r"[^\S\x1c-\x1f]+")
# A token is made of at least one character, but normalisation joins up to 3 to one. The rest leaves
# room for a last word that is cut.
_ROOM = 8
# Until it is measured on a card (`make gpu-check`): a layer of ViT-B/32 then takes longer than the
# start of its kernels.
_GPU_BATCH = 256


class Clip:
    """CLIP, or an encoder of another family, on a device: images and texts in, embeddings out.

    `load_clip` makes one. Only `preprocessor` may be used by several threads at once.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        preprocessor: Preprocessor,
        precision: Precision,
        family: Family,
    ) -> None:
        self.family = family
        self.preprocessor = preprocessor
        self.precision = precision
        self._vision = vision_tower(model, preprocessor, precision)
        self._model = model
        self._tokenizer = tokenizer
        self.uploader = Uploader(model.device)
        """puts pictures together as `embed_images` takes them"""
        self._context = family.context(model.config.text_config, tokenizer)
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
        return self._vision.tolerance

    @property
    def preferred_batch(self) -> int | None:
        """As many images as are fastest together; None on a CPU, where few are as fast."""
        return None if self.device.type == "cpu" else _GPU_BATCH

    def embed_text(self, text: str) -> "torch.Tensor":
        """Return the unit-length embedding of `text`, float32 of shape (D,) on `device`.

        Longer texts are truncated to the model's context, 77 tokens for OpenAI's CLIP.

        Raises:
            InvalidTextError: the text is not valid Unicode.
        """
        import torch

        beginning = self._beginning(text)
        tokens = self.family.tokens(self._tokenizer, beginning, self._context).to(self.device)
        # In float32 at any precision: an error here would be in every score.
        with torch.inference_mode():
            return _unit(self.family.text_features(self._model, tokens))[0]

    def _beginning(self, text: str) -> str:
        """Return the characters that can matter: the tokenizer takes 1.5 s for each million."""
        if wrong := lone_surrogate(text):
            raise InvalidTextError(f"the text {wrong}")
        if len(text) <= self._most_characters:
            return text
        # Only as far as needed: a whole text of 10 MB takes a second.
        pieces, size, end = [], 0, 0
        for blank in _WHITESPACE.finditer(text):
            pieces.append(text[end : blank.start()])
            size += len(pieces[-1]) + 1
            end = blank.end()
            if size > self._most_characters:
                break
        else:
            pieces.append(text[end:])
        return " ".join(pieces)[: self._most_characters]

    def embed_images(self, pixels: "torch.Tensor", *, exact: bool = False) -> "torch.Tensor":
        """Return unit-length embeddings of N×3×S×S uint8, float32 of shape (N, D) on `device`.

        `exact` computes in float32.
        """
        import torch

        with torch.inference_mode():
            return _unit(self._vision.embed(pixels, exact=exact))


def _unit(features: "torch.Tensor") -> "torch.Tensor":
    """Scale rows to length 1, in float32 whatever the model's precision."""
    import torch

    return torch.nn.functional.normalize(features.float(), dim=-1)
