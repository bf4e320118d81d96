"""From a frame to the pixels that CLIP saw in training, without torchvision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import DecodeError, ModelError

if TYPE_CHECKING:
    import torch

# Values of PIL.Image.Resampling, which preprocessor_config.json holds.
_RESAMPLING: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


# The whole picture is resized before its centre is cut out: 16384×2 pixels would take 2.7 GB.
_LONGEST_SIDES = 50


@dataclass(frozen=True)
class Preprocessor:
    """Resize, centre crop and normalisation of one CLIP model.

    Split in two: `pixels` runs per frame where the frame was decoded and gives small uint8 images
    that are cheap to pass on; `normalise` runs per batch where the model is.

    Scores differ by about 1e-5 from those of transformers' own image processor. torch's resize of
    uint8 is the one that is both fast and that close; swscale's differs by 1e-3, which changes
    which frames are chosen.
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
        """Read the settings of a transformers CLIPImageProcessor.

        Raises ModelError where it works in a way that this class does not.
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

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Resize and crop H×W×3 uint8 to a 3×crop×crop uint8 tensor in the host's memory.

        Raises DecodeError for a picture that is a mere line.
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
        # int() and not round(), as transformers does; a pixel here moves every sample.
        longer = int(self.shortest_edge * long / short)
        size = (self.shortest_edge, longer) if height <= width else (longer, self.shortest_edge)
        image = torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0)
        resized = torch.nn.functional.interpolate(
            image, size=size, mode=self.resampling, antialias=True, align_corners=False
        )
        top, left = (size[0] - self.crop) // 2, (size[1] - self.crop) // 2
        return resized[0, :, top : top + self.crop, left : left + self.crop].contiguous()

    def normalise(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """N×3×crop×crop uint8 to float32 on the same device: (value / 255 − mean) / std."""
        import torch

        def channels(values: npt.NDArray[np.float64]) -> torch.Tensor:
            vector = torch.from_numpy(values.astype(np.float32)).to(pixels.device)
            return vector.view(1, 3, 1, 1)

        mean, std = np.array(self.mean), np.array(self.std)
        # One multiplication and one addition per value: (v/255 − m)/s = v·1/(255·s) + (−m/s).
        return torch.addcmul(channels(-mean / std), pixels.float(), channels(1 / (255 * std)))
