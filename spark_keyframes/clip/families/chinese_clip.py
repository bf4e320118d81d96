"""Chinese-CLIP: CLIP's image tower, and a Chinese BERT for texts."""

from spark_keyframes.clip.families.family import Family


class ChineseClipFamily(Family):
    """Chinese-CLIP."""

    name = "Chinese-CLIP"
    model_type = "chinese_clip"
    prefix = "ChineseCLIP"
    image_processor = ("chinese_clip", "ChineseCLIPImageProcessorPil")
    vocabulary = ("vocab.txt",)
