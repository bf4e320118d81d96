"""Frames become image files and Spark image structs, and read back as the same pixels."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from spark_keyframes import rgb_array, to_pil
from spark_keyframes.errors import EncodeError
from spark_keyframes.images.encode import CV_8UC3, content_type, encode_image, spark_image


def picture(height: int = 360, width: int = 640) -> np.ndarray:
    """Return smooth colours with a rectangle of hard edges, like a real frame."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rgb = np.stack([x / width * 255, y / height * 255, 128 + 60 * np.sin(x / 40)], axis=2)
    rgb[height // 4 : height // 2, width // 4 : width // 2] = (200, 40, 30)
    return rgb.astype(np.uint8)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_png_is_lossless():
    assert np.array_equal(decoded(encode_image(picture(), ".png")), picture())


def test_jpeg_is_small_and_close_to_the_original():
    data = encode_image(picture(), ".jpg")
    error = decoded(data).astype(np.float64) - picture()
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 38  # dB
    assert len(data) < picture().size / 15


@pytest.mark.parametrize("img_type", [".jpg", ".png"])
def test_the_same_pixels_give_the_same_bytes_in_any_memory_layout(img_type):
    flipped = picture()[::-1, ::-1].copy()[::-1, ::-1]  # equal, but not contiguous
    assert encode_image(picture(), img_type) == encode_image(flipped, img_type)


@pytest.mark.parametrize(("img_type", "format"), [(".jpg", "JPEG"), (".png", "PNG")])
def test_an_image_has_its_type_and_no_metadata(img_type, format):
    image = Image.open(io.BytesIO(encode_image(picture(), img_type)))
    assert (image.format, image.size, image.mode) == (format, (640, 360), "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not image.getexif()
    assert content_type(img_type) == f"image/{format.lower()}"


def test_a_frame_of_one_pixel():
    for img_type in (".jpg", ".png"):
        assert decoded(encode_image(picture(1, 1), img_type)).shape == (1, 1, 3)


def test_a_frame_too_large_for_jpeg_says_what_to_use():
    wide = np.zeros((1, 70_000, 3), np.uint8)
    with pytest.raises(EncodeError, match=r"70000×1 pixels as \.jpg.*img_type='\.png'") as caught:
        encode_image(wide, ".jpg")
    assert caught.value.stage == "encode"
    assert decoded(encode_image(wide, ".png")).shape == wide.shape


@pytest.mark.parametrize(
    "frame",
    [picture().astype(np.float32), picture()[..., 0], picture()[:0], np.zeros((2, 2, 4), np.uint8)],
)
def test_arrays_that_are_not_rgb_frames_are_refused(frame):
    for encode in (lambda: encode_image(frame, ".jpg"), lambda: spark_image(frame)):
        with pytest.raises(EncodeError, match=r"uint8 array of shape \(height, width, 3\), got"):
            encode()


def test_the_error_for_an_unknown_type_lists_the_known_ones():
    with pytest.raises(EncodeError, match=r"'\.jpg', '\.png', got '\.gif'"):
        encode_image(picture(), ".gif")


def test_sparks_image_struct_reads_back_as_the_frame():
    from pyspark.ml.image import ImageSchema
    from pyspark.sql import Row

    image = spark_image(picture(), origin="tos://bucket/a.jpg")
    assert list(image) == ["origin", "height", "width", "nChannels", "mode", "data"]
    schema = object.__new__(type(ImageSchema))
    # ImageSchema itself asks a running JVM. Spark 3.5 has the second name.
    vars(schema).update(imageFields=list(image), _imageFields=list(image))
    row = Row(**image | {"data": bytearray(image["data"])})
    array = schema.toNDArray(row)
    assert np.array_equal(array[..., ::-1], picture())
    assert row.mode == CV_8UC3 == 16


def test_what_pandas_makes_of_an_image_reads_back_as_the_frame():
    """Beside a null, pandas turns integers into floats."""
    images = pd.DataFrame([spark_image(picture()), {}]).to_dict("records")
    assert isinstance(images[0]["height"], float)
    assert np.array_equal(rgb_array(images[0]), picture())
    assert np.array_equal(np.asarray(to_pil(images[0])), picture())


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_row_without_an_image_says_so(missing):
    with pytest.raises(EncodeError, match="the row has no image: its video failed or is null"):
        to_pil(missing)


def test_arrow_takes_the_memoryview_as_binary():
    image = spark_image(picture())
    assert isinstance(image["data"], memoryview)
    array = pa.array([image["data"]], pa.binary())
    assert array[0].as_py() == picture()[..., ::-1].tobytes()
