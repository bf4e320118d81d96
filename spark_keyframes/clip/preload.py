"""Imports CLIP's tokenizer and image processor, whose modules differ between versions."""

from spark_keyframes.clip.versions import clip_tokenizer_class, image_processor_class

clip_tokenizer_class()
image_processor_class("clip", "CLIPImageProcessor")
