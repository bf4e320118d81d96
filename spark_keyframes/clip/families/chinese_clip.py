"""Chinese-CLIP: CLIP's image tower, and a Chinese BERT for texts."""

from typing import Any

from spark_keyframes.clip.families.family import Family


class ChineseClipFamily(Family):
    """Chinese-CLIP."""

    name = "Chinese-CLIP"
    model_type = "chinese_clip"
    prefix = "ChineseCLIP"
    image_processor = ("chinese_clip", "ChineseCLIPImageProcessor")
    vocabulary = ("vocab.txt",)

    def text_features(self, model: Any, tokens: Any) -> Any:
        """See Family. As in the model's own `forward`.

        `get_text_features` fails from transformers 4.48 to 4.57: it takes the output of a pooling
        layer that these models do not have.
        """
        return model.text_projection(model.text_model(**tokens)[0][:, 0])
