"""Resizes frames to an encoder's input, without torchvision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip.versions import pixels_of
from spark_keyframes.errors import DecodeError, ModelError

if TYPE_CHECKING:
    import torch

# preprocessor_config.json holds the values of PIL.Image.Resampling.
_RESAMPLING: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


# The whole frame is resized before its centre is cropped: 16384×2 pixels would take 2.7 GB.
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

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Resize and crop H×W×3 uint8 to a 3×crop×crop uint8 tensor on the CPU.

        Raises:
            DecodeError: one side of the frame is more than 50 times the other, unless `squash`.
        """
        import torch

        height, width = rgb.shape[:2]
        size = self._size_before_crop(height, width)
        image = torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0)
        # torch resizes rows first, then columns, and rounds in between. Pillow does the same, but
        # for pictures that become so much lower: seen on 3,000 sizes with Pillow 13. The other
        # order gives every fourth value another rounding.
        if height - size[0] > 2 * max(0, width - size[1]):
            image = self._resized(image, (size[0], width))
        resized = self._resized(image, size)
        top, left = (size[0] - self.crop) // 2, (size[1] - self.crop) // 2
        return resized[0, :, top : top + self.crop, left : left + self.crop].contiguous()

    def _resized(self, image: "torch.Tensor", size: tuple[int, int]) -> "torch.Tensor":
        import torch

        return torch.nn.functional.interpolate(
            image, size=size, mode=self.resampling, antialias=True, align_corners=False
        )

    def _size_before_crop(self, height: int, width: int) -> tuple[int, int]:
        if self.squash:
            return self.shortest_edge, self.shortest_edge
        short, long = sorted((height, width))
        if long > _LONGEST_SIDES * short:
            raise DecodeError(
                f"a picture of {width}×{height} pixels is too narrow for a model that sees its "
                f"square centre: one side may be {_LONGEST_SIDES} times the other",
                stage="preprocess",
            )
        # int() and not round(), as in transformers: one pixel here shifts every sample.
        longer = int(self.shortest_edge * long / short)
        return (self.shortest_edge, longer) if height <= width else (longer, self.shortest_edge)

    def normalise(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return (value / 255 − mean) / std of N×3×crop×crop uint8, float32 on the same device."""
        import torch

        def channels(values: npt.NDArray[np.float64]) -> torch.Tensor:
            vector = torch.from_numpy(values.astype(np.float32)).to(pixels.device)
            return vector.view(1, 3, 1, 1)

        mean, std = np.array(self.mean), np.array(self.std)
        # One multiplication and one addition per value: (v/255 − m)/s = v·1/(255·s) + (−m/s).
        return torch.addcmul(channels(-mean / std), pixels.float(), channels(1 / (255 * std)))
