"""SigLIP, and SigLIP 2 of fixed resolution, which has the same layout and Gemma's tokenizer.

Scores are cosines, as for the other families: the scale and the bias of SigLIP's sigmoid are not
applied. They would not change the order of frames.
"""

from typing import Any

from spark_keyframes.clip.families.family import Family
from spark_keyframes.clip.files import model_file
from spark_keyframes.errors import ModelError


class SiglipFamily(Family):
    """SigLIP, and SigLIP 2 of fixed resolution."""

    name = "SigLIP"
    model_type = "siglip"
    prefix = "Siglip"
    image_processor = ("siglip", "SiglipImageProcessor")
    vocabulary = ("spiece.model", "tokenizer.model")

    def load_tokenizer(self, source: str, config: Any, *, local: bool) -> Any:
        """See Family.

        SigLIP's own class needs the package sentencepiece. Its tokenizer.json says the same, so
        that file is read where it is there, with or without the package.
        """
        from transformers import PreTrainedTokenizerFast
        from transformers.models.auto.tokenization_auto import get_tokenizer_config

        has_json = model_file(source, "tokenizer.json", local=local) is not None
        named = get_tokenizer_config(source, local_files_only=local).get("tokenizer_class")
        if not (has_json and named in (None, "SiglipTokenizer", "SiglipTokenizerFast")):
            tokenizer = super().load_tokenizer(source, config, local=local)
            ends = tokenizer("dog")["input_ids"][-1] == tokenizer.eos_token_id
            if ends or not has_json:
                return tokenizer
            # Before transformers 5, Gemma's tokenizer adds the tokens that tokenizer_config.json
            # names, and transformers 5 names them in tokenizer.json only.
        return PreTrainedTokenizerFast.from_pretrained(source, local_files_only=local)

    def check_config(self, config: Any, source: str) -> None:
        """See Family."""
        if not getattr(config.vision_config, "vision_use_head", True):
            raise ModelError(
                f"config.json of {source!r} has vision_config.vision_use_head false: without its "
                "head the model has no embeddings of images; use a whole SiglipModel"
            )

    def context(self, text_config: Any, tokenizer: Any) -> int:
        """See Family. SigLIP's models read 64 tokens; their tokenizers may say more."""
        return int(text_config.max_position_embeddings)

    def tokens(self, tokenizer: Any, text: str, context: int) -> Any:
        """See Family. All texts are padded: the model reads a text's meaning at the last position.

        Gemma's tokenizer ignores its setting `do_lower_case`, and SigLIP 2 saw only lower case.
        """
        if tokenizer.init_kwargs.get("do_lower_case", "Gemma" in type(tokenizer).__name__):
            text = text.lower()
        return tokenizer(
            text, truncation=True, padding="max_length", max_length=context, return_tensors="pt"
        )
