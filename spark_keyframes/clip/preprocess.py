"""Resizes and crops frames to CLIP's input, without torchvision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import DecodeError, ModelError

if TYPE_CHECKING:
    import torch

# preprocessor_config.json holds the values of PIL.Image.Resampling.
_RESAMPLING: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


# The whole frame is resized before its centre is cropped: 16384×2 pixels would take 2.7 GB.
_LONGEST_SIDES = 50


@dataclass(frozen=True)
class Preprocessor:
    """Resize, centre crop and normalisation of one CLIP model.

    `pixels` is called for each frame, in the thread that decoded it, and returns a small uint8
    image. `normalise` is called for each batch, on the model's device.

    Scores differ by about 1e-5 from those of transformers' own image processor. Only torch's resize
    of uint8 is both fast and that close. swscale's differs by 1e-3, which changes the selection.
    """

    shortest_edge: int
    """the shorter side after resizing, pixels"""
    crop: int
    """side of the square that CLIP sees, pixels"""
    mean: tuple[float, float, float]
    """per channel, of values in [0, 1]"""
    std: tuple[float, float, float]
    """per channel, of values in [0, 1]"""
    resampling: Literal["bilinear", "bicubic"] = "bicubic"

    @classmethod
    def from_image_processor(cls, processor: Any) -> "Preprocessor":
        """Take the settings from a transformers CLIPImageProcessor.

        Raises:
            ModelError: it has steps or settings that this class does not have.
        """
        shortest_edge, crop = processor.size.shortest_edge, processor.crop_size
        steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
        usable = (
            all(getattr(processor, step) for step in steps)
            and shortest_edge is not None
            and crop.height == crop.width <= shortest_edge
            and int(processor.resample) in _RESAMPLING
            and abs(processor.rescale_factor * 255 - 1) < 1e-6
        )
        if not usable:
            raise ModelError(
                "preprocessor_config.json must resize the shortest edge (bilinear or bicubic), "
                "crop a centred square inside it, rescale by 1/255 and normalise, "
                f"got {processor.to_dict()}; use a CLIP model in the layout of "
                "openai/clip-vit-base-patch32"
            )
        return cls(
            shortest_edge=shortest_edge,
            crop=crop.height,
            mean=tuple(processor.image_mean),
            std=tuple(processor.image_std),
            resampling=_RESAMPLING[int(processor.resample)],
        )

    def __str__(self) -> str:
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return (
            f"shortest edge {self.shortest_edge} {self.resampling}, crop {self.crop}, "
            f"mean {mean}, std {std}"
        )

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Resize and crop H×W×3 uint8 to a 3×crop×crop uint8 tensor on the CPU.

        Raises:
            DecodeError: one side of the frame is more than 50 times the other.
        """
        import torch

        height, width = rgb.shape[:2]
        short, long = sorted((height, width))
        if long > _LONGEST_SIDES * short:
            raise DecodeError(
                f"a picture of {width}×{height} pixels is too narrow for CLIP, which sees its "
                f"square centre: one side may be {_LONGEST_SIDES} times the other",
                stage="preprocess",
            )
        # int() and not round(), as in transformers: one pixel here shifts every sample.
        longer = int(self.shortest_edge * long / short)
        size = (self.shortest_edge, longer) if height <= width else (longer, self.shortest_edge)
        image = torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0)
        resized = torch.nn.functional.interpolate(
            image, size=size, mode=self.resampling, antialias=True, align_corners=False
        )
        top, left = (size[0] - self.crop) // 2, (size[1] - self.crop) // 2
        return resized[0, :, top : top + self.crop, left : left + self.crop].contiguous()

    def normalise(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return (value / 255 − mean) / std of N×3×crop×crop uint8, float32 on the same device."""
        import torch

        def channels(values: npt.NDArray[np.float64]) -> torch.Tensor:
            vector = torch.from_numpy(values.astype(np.float32)).to(pixels.device)
            return vector.view(1, 3, 1, 1)

        mean, std = np.array(self.mean), np.array(self.std)
        # One multiplication and one addition per value: (v/255 − m)/s = v·1/(255·s) + (−m/s).
        return torch.addcmul(channels(-mean / std), pixels.float(), channels(1 / (255 * std)))
