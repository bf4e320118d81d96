"""CLIP's pixels: what transformers' own image processor makes of a frame."""

import numpy as np
import pytest
import torch

from spark_keyframes import CentreCrop
from spark_keyframes.clip import Preprocessor
from spark_keyframes.clip.preprocess import _factor
from spark_keyframes.errors import DecodeError, ModelError
from tests.clip.own_scores import resizes_rows_first
from tests.clip.transformers_classes import CLIPImageProcessor, SiglipImageProcessor
from tests.video.clips import picture

SIZES = [(720, 1280), (1080, 1920), (432, 768), (1280, 720), (333, 777), (224, 224), (100, 160)]
SIZES += [(1170, 540), (2340, 1080), (96, 400), (400, 96)]  # Pillow resizes the tall ones otherwise


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("side", [224, 72])
def test_pixels_are_those_of_transformers(height, width, side):
    processor = CLIPImageProcessor(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    check_pixels(processor, height, width, side)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("side", "resample"), [(224, 3), (384, 2), (72, 3)])
def test_squashed_pixels_are_those_of_transformers(height, width, side, resample):
    check_pixels(
        SiglipImageProcessor(size={"height": side, "width": side}, resample=resample),
        height,
        width,
        side,
    )


def check_pixels(processor, height, width, side):
    ours = Preprocessor.from_image_processor(processor)
    frame = picture(37, width, height)
    expected = processor(frame, return_tensors="pt")["pixel_values"]
    pixels = ours.pixels(frame)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (3, side, side)
    if height > width and not resizes_rows_first():
        pytest.skip("the pixels are those of Pillow 13, which resizes tall pictures otherwise")
    difference = (ours.normalise(pixels[None]) - expected).abs()
    step = 1 / 255 / min(ours.std)
    assert difference.max() < 2.01 * step, "more than two grey levels off"
    assert difference.mean() < 0.1 * step, "more than every tenth value off"


CROPS = [(224, 224, "bicubic"), (256, 224, "bicubic"), (72, 64, "bilinear"), (300, 299, "bicubic")]
SHAPES = [*SIZES, (720, 854), (225, 900), (1000, 21), (96, 160), (1237, 1239), (448, 896), (50, 31)]


@pytest.mark.parametrize(("edge", "side", "resampling"), CROPS)
def test_pixels_are_those_of_the_whole_picture_resized(edge, side, resampling):
    """Only what matters is resized, and nothing depends on the rest of the picture."""
    ours = Preprocessor(edge, side, (0.5,) * 3, (0.5,) * 3, resampling=resampling)
    for height, width in SHAPES:
        frame = noise(height, width)
        expected = resized_whole(frame, ours)
        box = ours.looks_at.box(height, width)
        inside = np.s_[box.top : box.bottom, box.left : box.right]
        other = 255 - frame
        other[inside] = frame[inside]
        for given in (frame, other):
            assert torch.equal(ours.pixels(given), expected), f"{height}×{width}"


def noise(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resized_whole(frame, ours):
    height, width, _ = frame.shape
    sizes = ours.looks_at.resized(height, width)
    image = torch.from_numpy(frame).permute(2, 0, 1)[None]
    if height - sizes[0] > 2 * max(0, width - sizes[1]):
        image = resized(image, (sizes[0], width), ours.resampling)
    top, left = ours.looks_at.corner(height, width)
    found = resized(image, sizes, ours.resampling)
    return found[0, :, top : top + ours.crop, left : left + ours.crop]


def resized(image, size, mode):
    return torch.nn.functional.interpolate(image, size=size, mode=mode, antialias=True)


@pytest.mark.parametrize("seed", range(3))
def test_pixels_of_any_size_are_those_of_the_whole_picture_resized(seed):
    ours = Preprocessor(224, 224, (0.5,) * 3, (0.5,) * 3)
    for height, width in np.random.default_rng(seed).integers(20, 700, (12, 2)).tolist():
        frame = noise(height, width)
        assert torch.equal(ours.pixels(frame), resized_whole(frame, ours)), f"{height}×{width}"


def test_sizes_whose_ratio_has_no_reciprocal_are_resized_whole(monkeypatch):
    """torch computes with reciprocals of factors, and some numbers are none's."""
    without = [width for width in range(225, 2000) if _factor(width, 224) is None]
    assert without
    ours = Preprocessor(224, 224, (0.5,) * 3, (0.5,) * 3)
    monkeypatch.setattr("spark_keyframes.clip.preprocess._factor", lambda *_: None)
    frame = noise(300, 500)
    assert torch.equal(ours.pixels(frame), resized_whole(frame, ours))


def test_a_model_that_squashes_looks_at_all_of_a_picture():
    assert Preprocessor(64, 64, (0.5,) * 3, (0.5,) * 3, squash=True).looks_at is None
    assert Preprocessor(64, 60, (0.5,) * 3, (0.5,) * 3).looks_at == CentreCrop(64, 60, 2)


def test_normalise_is_value_minus_mean_over_std():
    ours = Preprocessor(8, 8, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
    batch = torch.full((2, 3, 8, 8), 51, dtype=torch.uint8)
    result = ours.normalise(batch)
    assert result.dtype == torch.float32
    assert np.allclose(result[1, :, 4, 4], [(0.2 - 0.1) / 0.5, 0.0, (0.2 - 0.3) / 0.2], atol=1e-6)


@pytest.mark.parametrize(
    "setting",
    [
        {"do_center_crop": False},
        {"size": {"height": 224, "width": 336}},
        {"size": {"shortest_edge": 224, "longest_edge": 300}},
        {"size": {"height": 224, "width": 224}, "crop_size": {"height": 300, "width": 300}},
        {"crop_size": {"height": 300, "width": 300}},
        {"crop_size": {"height": 224, "width": 200}},
        {"do_rescale": False},
        {"do_normalize": False},
        {"resample": 0},
    ],
)
def test_settings_that_would_be_ignored_are_refused(setting):
    with pytest.raises(ModelError, match=r"preprocessor_config\.json must resize .* got"):
        Preprocessor.from_image_processor(CLIPImageProcessor(**setting))


def test_a_picture_that_is_a_mere_line_is_refused_before_it_takes_gigabytes():
    ours = Preprocessor(224, 224, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
    with pytest.raises(DecodeError, match="16384×2 pixels is too narrow") as caught:
        ours.pixels(np.zeros((2, 16384, 3), np.uint8))
    assert caught.value.stage == "preprocess"
    assert ours.pixels(np.zeros((40, 1000, 3), np.uint8)).shape == (3, 224, 224)


def test_squashing_takes_no_more_memory_for_a_narrow_picture():
    ours = Preprocessor(64, 64, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), squash=True)
    assert ours.pixels(np.zeros((2, 16384, 3), np.uint8)).shape == (3, 64, 64)


def test_its_words_say_what_is_done_to_a_frame():
    """An index keeps them: those of a CLIP must stay as they are."""
    clip = Preprocessor(224, 224, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
    siglip = Preprocessor(
        384, 384, mean=(0.5,) * 3, std=(0.5,) * 3, resampling="bilinear", squash=True
    )
    assert str(clip) == (
        "shortest edge 224 bicubic, crop 224, mean 0.1, 0.2, 0.3, std 0.5, 0.25, 0.2"
    )
    assert str(siglip).startswith("both edges 384 bilinear, crop 384, mean 0.5, 0.5, 0.5")
