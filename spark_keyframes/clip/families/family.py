"""The base class of encoder families: what they have in common, and where they may differ."""

import importlib.util
from typing import Any, ClassVar

from spark_keyframes.clip.files import model_file
from spark_keyframes.clip.versions import embeddings_of, image_processor_class, transformers_class
from spark_keyframes.errors import ModelError

# Vocabularies are padded to a multiple of up to this, so that matrices have a quick size.
_PADDING = 256


class Family:
    """One kind of image-text encoder of transformers, found by its `model_type`.

    All of them have a text tower and an image tower whose embeddings are compared by their cosine.
    A subclass says what its texts, its tokenizer and its image processor are like.
    """

    name: ClassVar[str]
    """for people"""
    model_type: ClassVar[str]
    """as in config.json"""
    prefix: ClassVar[str]
    """of transformers' classes: with "CLIP" they are CLIPConfig and CLIPModel"""
    parameter: ClassVar[str] = "clip_model_name"
    """which one names the model, for messages"""
    image_processor: ClassVar[tuple[str, str]] = ("clip", "CLIPImageProcessor")
    """Folder and class of the image processor, as in transformers."""
    vocabulary: ClassVar[tuple[str, ...]]
    """The files from one of which the tokenizer is made where there is no tokenizer.json."""
    end_ids: ClassVar[tuple[int, ...] | None] = None
    """None, unless the model reads a text's meaning at its end token: then the ids that config.json
    may name besides the tokenizer's own."""

    def config(self, settings: dict[str, Any]) -> Any:
        """Return transformers' config of the contents of config.json."""
        return transformers_class(f"{self.prefix}Config", self.name).from_dict(settings)

    def model_class(self) -> Any:
        """Return transformers' class of the whole model."""
        return transformers_class(f"{self.prefix}Model", self.name)

    def load_image_processor(self, source: str, *, local: bool) -> Any:
        """Return the image processor with the settings of the model's files."""
        found = image_processor_class(*self.image_processor)
        return found.from_pretrained(source, local_files_only=local)

    def load_tokenizer(self, source: str, config: Any, *, local: bool) -> Any:
        """Return the tokenizer that the model's files name, or else the family's own."""
        from transformers import AutoTokenizer

        self.check_tokenizer_files(source, local=local)
        return AutoTokenizer.from_pretrained(
            source, config=config, local_files_only=local, trust_remote_code=False
        )

    def check_tokenizer_files(self, source: str, *, local: bool) -> None:
        """Raise ModelError where the tokenizer has no files, or none that can be read here."""
        names = ("tokenizer.json", *self.vocabulary)
        found = next((name for name in names if model_file(source, name, local=local)), None)
        if found is None:
            raise ModelError(
                f"{source!r} has no tokenizer; add {self.tokenizer_files} of the same model"
            )
        if found.endswith(".model") and not importlib.util.find_spec("sentencepiece"):
            raise ModelError(
                f"the tokenizer of {source!r} is {found}, and there is no tokenizer.json: add "
                "tokenizer.json of the same model, or run "
                "`pip install 'spark_keyframes[sentencepiece]'`"
            )

    @property
    def tokenizer_files(self) -> str:
        """The files of a tokenizer, in words."""
        return " or ".join(("tokenizer.json", *self.vocabulary))

    def check_config(self, config: Any, source: str) -> None:
        """Raise ModelError where a model of this family has parts that are not supported."""

    def check_tokenizer(self, tokenizer: Any, text_config: Any, source: str) -> None:
        """Raise ModelError unless the tokenizer is that of the model."""
        size = text_config.vocab_size
        if not 0 <= size - len(tokenizer) < _PADDING:
            # transformers makes an almost empty tokenizer where there are no files of one.
            raise ModelError(
                f"the tokenizer of {source!r} knows {len(tokenizer)} tokens, and the model {size} "
                "(text_config.vocab_size in config.json): its files are missing or of another "
                f"model; add {self.tokenizer_files} of the same model"
            )
        # With a wrong id the model silently reads position 0.
        if self.end_ids is not None and text_config.eos_token_id not in (
            tokenizer.eos_token_id,
            *self.end_ids,
        ):
            raise ModelError(
                f"text_config.eos_token_id of {source!r} is {text_config.eos_token_id}, but its "
                f"tokenizer ends texts with {tokenizer.eos_token_id}: every text would mean the "
                "same; correct config.json"
            )
        if not self.tells_apart(tokenizer, "dog", "car"):
            raise ModelError(
                f"the tokenizer of {source!r} cannot tell one text from another; use "
                f"{self.tokenizer_files} of the same model"
            )

    def tells_apart(self, tokenizer: Any, one: str, other: str) -> bool:
        """Return whether the model can see a difference between two texts."""
        return bool(tokenizer(one)["input_ids"] != tokenizer(other)["input_ids"])

    def context(self, text_config: Any, tokenizer: Any) -> int:
        """Return how many tokens of a text the model reads at most."""
        return min(int(text_config.max_position_embeddings), int(tokenizer.model_max_length))

    def tokens(self, tokenizer: Any, text: str, context: int) -> Any:
        """Return the arguments of `get_text_features` for a text."""
        return tokenizer(text, truncation=True, max_length=context, return_tensors="pt")

    def text_features(self, model: Any, tokens: Any) -> Any:
        """Return the model's embeddings of texts, a tensor of shape (N, D)."""
        return embeddings_of(model.get_text_features(**tokens))


def refuse_own_code(settings: dict[str, Any], source: str, remedy: str) -> None:
    """Raise ModelError where config.json names code that comes with the model."""
    if "auto_map" in settings:
        raise ModelError(
            f"config.json of {source!r} names code of the model's own (auto_map), which is never "
            f"run; {remedy}"
        )
