"""Encoding selected frames, naming the objects that hold them, and showing them on a sheet."""

from spark_keyframes.images.encode import (
    ImgType,
    Pixels,
    content_type,
    encode_image,
    rgb_array,
    spark_image,
)
from spark_keyframes.images.keys import image_url
from spark_keyframes.images.sheet import SheetFrame, contact_sheet

__all__ = [
    "ImgType",
    "Pixels",
    "SheetFrame",
    "contact_sheet",
    "content_type",
    "encode_image",
    "image_url",
    "rgb_array",
    "spark_image",
]
