"""Resizes frames to an encoder's input, without torchvision."""

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip.versions import pixels_of
from spark_keyframes.errors import DecodeError, ModelError
from spark_keyframes.video.centre import Box, CentreCrop

if TYPE_CHECKING:
    import torch

# preprocessor_config.json holds the values of PIL.Image.Resampling.
_RESAMPLING: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
_REACH = {"bilinear": 1, "bicubic": 2}

_ROWS, _COLUMNS = 2, 3  # dimensions of an image, 1×3×H×W

# Rows are resized up to the end of the centre: of 16384×2 pixels they would take 1.4 GB.
_LONGEST_SIDES = 50


@dataclass(frozen=True)
class Preprocessor:
    """Resize, centre crop and normalisation of one model.

    `pixels` is called for each frame, in the thread that decoded it, and returns a small uint8
    image. `normalise` is called for each batch, on the model's device.

    Scores differ by about 1e-5 from those of transformers' own image processor. Only torch's resize
    of uint8 is both fast and that close. swscale's differs by 1e-3, which changes the selection.
    """

    shortest_edge: int
    """the shorter side after resizing, pixels"""
    crop: int
    """side of the square that the model sees, pixels"""
    mean: tuple[float, float, float]
    """per channel, of values in [0, 1]"""
    std: tuple[float, float, float]
    """per channel, of values in [0, 1]"""
    resampling: Literal["bilinear", "bicubic"] = "bicubic"
    squash: bool = False
    """whether both sides become `shortest_edge` pixels, whatever the frame's shape"""

    @classmethod
    def from_image_processor(cls, processor: Any) -> "Preprocessor":
        """Take the settings from one of transformers' image processors.

        Raises:
            ModelError: it has steps or settings that this class does not have.
        """
        height, width, shortest, longest = (
            pixels_of(processor.size, side)
            for side in ("height", "width", "shortest_edge", "longest_edge")
        )
        squash = shortest is None and height == width
        edge = height if squash else shortest
        crops = bool(getattr(processor, "do_center_crop", None))
        crop = processor.crop_size if crops else {"height": edge, "width": edge}
        side = pixels_of(crop, "height")
        usable = (
            edge is not None
            and side is not None
            and pixels_of(crop, "width") == side <= edge
            and longest is None
            and (crops or squash)
            and all(
                getattr(processor, step) for step in ("do_resize", "do_rescale", "do_normalize")
            )
            and not getattr(processor, "do_pad", None)
            and int(processor.resample) in _RESAMPLING
            and abs(processor.rescale_factor * 255 - 1) < 1e-6
        )
        if edge is None or side is None or not usable:
            raise ModelError(
                "preprocessor_config.json must resize (bilinear or bicubic) to a square, or the "
                "shortest edge with a centred square crop inside it, rescale by 1/255 and "
                f"normalise, got {processor.to_dict()}; use a model in the layout of "
                "openai/clip-vit-base-patch32 or google/siglip-base-patch16-224"
            )
        return cls(
            shortest_edge=edge,
            crop=side,
            mean=tuple(processor.image_mean),
            std=tuple(processor.image_std),
            resampling=_RESAMPLING[int(processor.resample)],
            squash=squash,
        )

    def __str__(self) -> str:
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        resized = "both edges" if self.squash else "shortest edge"
        return (
            f"{resized} {self.shortest_edge} {self.resampling}, crop {self.crop}, "
            f"mean {mean}, std {std}"
        )

    @functools.cached_property
    def looks_at(self) -> CentreCrop | None:
        """The part of a picture on which `pixels` depends; None: all of it."""
        if self.squash:
            return None
        return CentreCrop(self.shortest_edge, self.crop, _REACH[self.resampling])

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Resize and crop H×W×3 uint8 to a 3×crop×crop uint8 tensor on the CPU.

        Raises:
            DecodeError: one side of the frame is more than 50 times the other, unless `squash`.
        """
        import torch

        height, width = rgb.shape[:2]
        new_height, new_width = self._size_before_crop(height, width)
        top, left = (new_height - self.crop) // 2, (new_width - self.crop) // 2
        bottom, right = top + self.crop, left + self.crop
        box = self.looks_at.box(height, width) if self.looks_at else Box(0, height, 0, width)
        # In this order, so that torch takes it for "channels last" and gives back the same.
        image = torch.from_numpy(rgb).unsqueeze(0).permute(0, 3, 1, 2)
        # Pillow resizes rows first, then columns, and rounds in between; pictures that become so
        # much lower the other way: seen on 3,000 sizes with Pillow 13. The other order gives every
        # fourth value another rounding.
        if height - new_height > 2 * max(0, width - new_width):
            image = self._resized(image, _ROWS, new_height, bottom)
            image = self._resized(image, _COLUMNS, new_width, right)
        else:
            needed = image[:, :, box.top : box.bottom]
            image = self._resized(needed, _COLUMNS, new_width, right)
            image = self._resized(_lowered(image, box, height), _ROWS, new_height, bottom)
        return image[0, :, top:bottom, left:right].contiguous()

    def _resized(
        self, image: "torch.Tensor", dimension: int, size: int, needed: int
    ) -> "torch.Tensor":
        """Resize one dimension to `size` pixels, of which at least the first `needed` are there."""
        import torch

        before, sizes = image.shape[dimension], list(image.shape[2:])
        scales: list[float | None] = [None, None]
        sizes[dimension - _ROWS] = size
        name = f"_upsample_{self.resampling}2d_aa"
        # interpolate() cannot leave out pixels at the end, its operator can.
        operator = getattr(torch.ops.aten, name, None) if before not in (size, needed) else None
        factor = _factor(before, size) if needed < size else None
        if operator is not None and factor is not None:
            scales[dimension - _ROWS], sizes[dimension - _ROWS] = factor, needed
            part: torch.Tensor = operator.default(image, sizes, False, *scales)
            return part
        return torch.nn.functional.interpolate(
            image, size=sizes, mode=self.resampling, antialias=True, align_corners=False
        )

    def _size_before_crop(self, height: int, width: int) -> tuple[int, int]:
        if self.looks_at is None:
            return self.shortest_edge, self.shortest_edge
        short, long = sorted((height, width))
        if long > _LONGEST_SIDES * short:
            raise DecodeError(
                f"a picture of {width}×{height} pixels is too narrow for a model that sees its "
                f"square centre: one side may be {_LONGEST_SIDES} times the other",
                stage="preprocess",
            )
        return self.looks_at.resized(height, width)

    def normalise(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return (value / 255 − mean) / std of N×3×crop×crop uint8, float32 on the same device."""
        import torch

        factors, offsets = _channels(self.mean, self.std, pixels.shape[3], pixels.device)
        return torch.addcmul(offsets, pixels.float(), factors)


@functools.lru_cache(maxsize=16)
def _channels(
    mean: tuple[float, ...], std: tuple[float, ...], columns: int, device: "torch.device"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return factors and offsets, one of each per value, that normalise pixels.

    (v/255 − m)/s = v·1/(255·s) + (−m/s). They are kept, because a GPU would have to finish all its
    work before it took them.
    """
    import torch

    def channels(values: npt.NDArray[np.float64]) -> torch.Tensor:
        vector = torch.from_numpy(values.astype(np.float32)).to(device)
        # One value for each column: torch has no SIMD for a single one, and takes 1.8 times as
        # long on a CPU.
        return vector.view(1, 3, 1, 1).expand(1, 3, 1, columns).contiguous()

    means, deviations = np.array(mean), np.array(std)
    return channels(1 / (255 * deviations)), channels(-means / deviations)


def _factor(before: int, after: int) -> float | None:
    """Return the number whose reciprocal is the ratio of these sizes; None if there is no such.

    torch divides 1 by a given factor, and the sizes by each other if there is none. Both must give
    the same number: then the weights are the same, and the pixels are.
    """
    near = after / before
    factors = (near, math.nextafter(near, 0.0), math.nextafter(near, math.inf))
    return next((factor for factor in factors if 1.0 / factor == before / after), None)


def _lowered(rows: "torch.Tensor", box: Box, height: int) -> "torch.Tensor":
    """Return an image of this height that has these rows in their place, and any others."""
    import torch

    if rows.shape[_ROWS] == height:
        return rows
    shape = (*rows.shape[:_ROWS], height, rows.shape[_COLUMNS])
    image = torch.empty(shape, dtype=rows.dtype, memory_format=torch.channels_last)
    image[:, :, box.top : box.bottom] = rows
    return image
