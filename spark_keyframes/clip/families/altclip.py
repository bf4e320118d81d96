"""AltCLIP: CLIP's image tower, and XLM-RoBERTa for texts in several languages."""

from typing import Any

from spark_keyframes.clip.families.family import Family


class AltClipFamily(Family):
    """AltCLIP."""

    name = "AltCLIP"
    model_type = "altclip"
    prefix = "AltCLIP"
    vocabulary = ("sentencepiece.bpe.model",)

    def load_tokenizer(self, source: str, config: Any, *, local: bool) -> Any:
        """See Family. AutoTokenizer knows none for this family: older files may not name one."""
        if not getattr(config, "tokenizer_class", None):
            config.tokenizer_class = "XLMRobertaTokenizer"
        return super().load_tokenizer(source, config, local=local)

    def context(self, text_config: Any, tokenizer: Any) -> int:
        """See Family. XLM-RoBERTa counts positions from the id of padding plus 1."""
        positions = int(text_config.max_position_embeddings) - int(text_config.pad_token_id) - 1
        return min(positions, int(tokenizer.model_max_length))
