"""Images of selected frames: encoding, URLs, Spark's image struct, and contact sheets.

Pixels are numpy arrays of shape (height, width, 3), uint8, RGB.
"""

from spark_keyframes.images.bars import Bar
from spark_keyframes.images.encode import (
    ImgType,
    Pixels,
    content_type,
    encode_image,
    rgb_array,
    spark_image,
    to_pil,
)
from spark_keyframes.images.keys import image_url
from spark_keyframes.images.sheet import SheetFrame, contact_sheet

__all__ = [
    "Bar",
    "ImgType",
    "Pixels",
    "SheetFrame",
    "contact_sheet",
    "content_type",
    "encode_image",
    "image_url",
    "rgb_array",
    "spark_image",
    "to_pil",
]
