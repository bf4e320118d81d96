"""CLIP: the layout of OpenAI's models, of OpenCLIP's conversions and of the first MetaCLIP."""

from typing import Any

from spark_keyframes.clip.families.family import Family
from spark_keyframes.clip.versions import clip_tokenizer_class

# How OpenAI's own files say "the highest id of the text".
_HIGHEST_ID = 2


class ClipFamily(Family):
    """CLIP."""

    name = "CLIP"
    model_type = "clip"
    prefix = "CLIP"
    vocabulary = ("vocab.json",)
    end_ids = (_HIGHEST_ID,)

    @property
    def tokenizer_files(self) -> str:
        """See Family."""
        return "tokenizer.json, or vocab.json and merges.txt,"

    def load_tokenizer(self, source: str, config: Any, *, local: bool) -> Any:
        """Return CLIP's tokenizer, whichever class the files name."""
        self.check_tokenizer_files(source, local=local)
        return clip_tokenizer_class().from_pretrained(source, local_files_only=local)

    def tells_apart(self, tokenizer: Any, one: str, other: str) -> bool:
        """See Family. The model reads up to the first end token.

        The end token also stands for words that a vocabulary lacks.
        """
        first, second = (tokenizer(text)["input_ids"] for text in (one, other))
        end = tokenizer.eos_token_id
        return bool(first[:2] != second[:2] and end not in (first[1], second[1]))

    def context(self, text_config: Any, tokenizer: Any) -> int:
        """See Family. OpenAI's models read 77 tokens."""
        return int(text_config.max_position_embeddings)
