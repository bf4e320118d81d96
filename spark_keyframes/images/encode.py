"""Encodes frames as image files, and as rows of Spark's image schema."""

import io
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import EncodeError

if TYPE_CHECKING:
    from PIL import Image

ImgType = Literal[".jpg", ".png"]
Pixels = npt.NDArray[np.uint8]
"""uint8, shape (height, width, 3), RGB."""

CV_8UC3 = 16
"""OpenCV's type number of three 8-bit channels, as in `ImageSchema.ocvTypes`."""

_CONTENT_TYPES: dict[str, str] = {".jpg": "image/jpeg", ".png": "image/png"}
_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 90},
    ".png": {"format": "PNG", "compress_level": 1},  # higher levels are slow and save little
}


def encode_image(rgb: Pixels, img_type: ImgType) -> bytes:
    """Encode a frame as an image file without metadata.

    The same pixels give the same bytes, so a retried task stores the same object.

    Args:
        rgb: uint8, shape (height, width, 3), RGB.
        img_type: ".jpg" (quality 90) or ".png" (lossless).

    Returns:
        The bytes of the image file.

    Raises:
        EncodeError: the array is not an RGB image, is too large for the format, or img_type is
            unknown.
    """
    from PIL import Image

    _check(rgb)
    content_type(img_type)
    file = io.BytesIO()
    try:
        Image.fromarray(rgb).save(file, **_OPTIONS[img_type])
    except (OSError, ValueError, SystemError) as error:
        height, width, _ = rgb.shape
        raise EncodeError(
            f"cannot encode a frame of {width}×{height} pixels as {img_type}: {error}; a JPEG "
            "side has at most 65500 pixels, use img_type='.png'",
        ) from error
    return file.getvalue()


def content_type(img_type: ImgType) -> str:
    """Return the media type of `img_type`, e.g. "image/jpeg"; EncodeError if it is unknown."""
    try:
        return _CONTENT_TYPES[img_type]
    except KeyError:
        raise EncodeError(
            f"img_type must be one of {', '.join(map(repr, get_args(ImgType)))}, got {img_type!r}"
        ) from None


def spark_image(rgb: Pixels, origin: str = "") -> dict[str, Any]:
    """Return a frame as a row of Spark's image schema, `pyspark.ml.image.ImageSchema`.

    Args:
        rgb: uint8, shape (height, width, 3), RGB.
        origin: URL of the stored image, or empty.

    Returns:
        The fields in the schema's order. `data` is a memoryview of height × width × 3 bytes, row
        by row, BGR, as OpenCV and `ImageSchema.toNDArray` expect.

    Raises:
        EncodeError: the array is not an RGB image.
    """
    _check(rgb)
    height, width, channels = rgb.shape
    return {
        "origin": origin,
        "height": height,
        "width": width,
        "nChannels": channels,
        "mode": CV_8UC3,
        # The only copy is the one that swaps the channels: Arrow reads the memoryview itself.
        "data": np.ascontiguousarray(rgb[:, :, ::-1]).reshape(-1).data,
    }


def rgb_array(image: Any) -> Pixels:
    """Return the pixels of an image of the result; the inverse of `spark_image`.

    Unlike `ImageSchema.toNDArray`, it needs no SparkContext, so it works over Spark Connect. The
    result is RGB, not BGR.

    Args:
        image: an element of the column `<output_col>_images`, the column `image` of
            `explode_keyframes`, or a dict of its fields. Its numbers may be floats, as pandas makes
            them where another row is null. With `images="encoded"` it is the bytes of a file.

    Returns:
        uint8, shape (height, width, 3), RGB; of Spark's schema a view of the row's bytes.

    Raises:
        EncodeError: there is no image, as in the row of a failed video; or it does not have three
            8-bit channels.
    """
    if image is None or isinstance(image, float):  # pandas' null is NaN
        raise EncodeError(
            "the row has no image: its video failed or is null; leave such rows out, "
            "e.g. frames.dropna(subset=['image'])"
        )
    if isinstance(image, bytes | bytearray | memoryview):
        return np.asarray(_opened(image))
    if image["mode"] != CV_8UC3:
        raise EncodeError(
            f"an image must have three 8-bit channels, mode {CV_8UC3}, got mode {image['mode']}"
        )
    shape = (int(image["height"]), int(image["width"]), 3)
    return np.frombuffer(image["data"], np.uint8).reshape(shape)[:, :, ::-1]


def to_pil(image: Any) -> "Image.Image":
    """Return an image of the result as one of Pillow, which a notebook shows.

    Args:
        image: as for `rgb_array`.

    Raises:
        EncodeError: as from `rgb_array`.
    """
    from PIL import Image

    if isinstance(image, bytes | bytearray | memoryview):
        return _opened(image)
    return Image.fromarray(np.ascontiguousarray(rgb_array(image)))


def _opened(file: bytes | bytearray | memoryview) -> "Image.Image":
    from PIL import Image

    try:
        return Image.open(io.BytesIO(file)).convert("RGB")
    except OSError as error:
        raise EncodeError(
            f"the {len(file)} bytes are no image: {error}; give an element of the column of images"
        ) from error


def _check(rgb: Pixels) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise EncodeError(
            "a frame must be a uint8 array of shape (height, width, 3), got "
            f"{rgb.dtype} {rgb.shape}",
        )
