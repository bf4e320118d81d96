"""Classes of transformers, of whichever version is installed."""

from spark_keyframes.clip.versions import (
    clip_tokenizer_class,
    dtype_option,
    image_processor_class,
)

CLIPTokenizer = clip_tokenizer_class()
CLIPImageProcessor = image_processor_class("clip", "CLIPImageProcessor")
ChineseCLIPImageProcessor = image_processor_class("chinese_clip", "ChineseCLIPImageProcessor")
SiglipImageProcessor = image_processor_class("siglip", "SiglipImageProcessor")
BlipImageProcessor = image_processor_class("blip", "BlipImageProcessor")


def of_dtype(dtype):
    """The argument of from_pretrained for the weights' dtype."""
    return {dtype_option(): dtype}
