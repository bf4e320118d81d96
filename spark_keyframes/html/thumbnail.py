"""Small images that a page holds itself."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import EncodeError
from spark_keyframes.images import to_pil

if TYPE_CHECKING:
    from PIL import Image

_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 80, "optimize": True}
# Of 120 pixels' height: 3.0 KB in 1.8 ms, of which a JPEG of this quality takes 4.0.
_WEBP: dict[str, Any] = {"format": "WEBP", "quality": 65, "method": 2}
_FORMATS = ("JPEG", "PNG", "WEBP")  # not all of Pillow's: the file may be of strangers


def thumbnail(
    image: bytes | npt.NDArray[np.uint8] | Any, height: int = 180, *, webp: bool = False
) -> str:
    """Return a data: URL of a small JPEG, about 10 KB.

    Args:
        image: a file of an image, an array of shape (height, width, 3), uint8, RGB, or an element
            of a column of images: see `to_pil`.
        height: of the small one in pixels. It is at most four times as wide, and never larger than
            the image.
        webp: make a WebP file of lower quality instead, which is smaller: for pages with thousands
            of images.

    Raises:
        EncodeError: it is no image, or one of more pixels than Pillow takes.
    """
    from PIL import Image

    try:
        if isinstance(image, np.ndarray):
            picture = Image.fromarray(np.ascontiguousarray(image))
        elif isinstance(image, bytes | bytearray | memoryview):
            # Not converted yet: of a JPEG, Pillow decodes only as many pixels as it needs.
            picture = _opened(image)
        else:
            picture = to_pil(image)
        picture.thumbnail((4 * height, height), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.convert("RGB").save(file, **(_WEBP if webp else _JPEG))
    except (Image.DecompressionBombError, OSError, TypeError, ValueError, KeyError) as error:
        raise EncodeError(
            f"no small image can be made of this one: {error}; give an RGB image"
        ) from error
    kind, data = "webp" if webp else "jpeg", base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind};base64,{data}"


def _opened(file: bytes | bytearray | memoryview) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(file), formats=_FORMATS)
    except UnidentifiedImageError:  # its message shows where in the memory the bytes are
        formats = ", ".join(_FORMATS)
        raise EncodeError(f"the {len(file)} bytes are no image; give one of {formats}") from None
