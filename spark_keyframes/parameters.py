"""The parameters of the documented operator, checked when they are given."""

import math
from dataclasses import dataclass
from typing import Any, get_args

from spark_keyframes.clip import Dtype
from spark_keyframes.errors import ParameterError
from spark_keyframes.images import ImgType
from spark_keyframes.selection import SelectorName
from spark_keyframes.video.source import VideoSrcType


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Documented names and defaults; VideoAdaptiveKeyframesSampling describes each.

    Raises ParameterError (a ValueError) for a value that cannot work.
    """

    text: str = ""
    model_path: str = "/opt/las/models"
    clip_model_name: str = "openai/clip-vit-base-patch32"
    dtype: Dtype = "float16"
    video_src_type: VideoSrcType = "video_url"
    fps: float = 1.0
    max_num_frames: int = 32
    t1: float = 0.8
    t2: float = -100
    all_depth: int = 5
    img_type: ImgType = ".jpg"
    output_tos_dir: str = ""
    return_keyframes: bool = True
    batch_size: int = 16
    rank: int = 0
    video_format: str = "mp4"
    selector: SelectorName = "aks"

    def __post_init__(self) -> None:
        for name in ("text", "model_path", "clip_model_name", "output_tos_dir", "video_format"):
            _check_type(name, getattr(self, name), str, "a string")
        _check_type("return_keyframes", self.return_keyframes, bool, "True or False")
        for name, choices in (
            ("dtype", Dtype),
            ("video_src_type", VideoSrcType),
            ("img_type", ImgType),
            ("selector", SelectorName),
        ):
            _check_choice(name, getattr(self, name), get_args(choices))
        for name in ("fps", "t1", "t2"):
            _check_number(name, getattr(self, name))
        for name, least in (("max_num_frames", 1), ("all_depth", 0), ("batch_size", 1)):
            _check_whole(name, getattr(self, name), least)
        _check_whole("rank", self.rank, 0)
        if self.fps <= 0 or math.isinf(self.fps):
            raise ParameterError(
                f"fps must be greater than 0 and finite, got {self.fps}; "
                "use e.g. 0.5 for one frame every two seconds"
            )
        if not self.clip_model_name:
            raise ParameterError(
                'clip_model_name must not be empty; use e.g. "openai/clip-vit-base-patch32"'
            )
        if not self.video_format.isalnum():
            raise ParameterError(
                f"video_format must be a container's name, got {self.video_format!r}; "
                'use e.g. "mp4", "mov", "webm"'
            )


def _check_type(name: str, value: Any, expected: type, what: str) -> None:
    if not isinstance(value, expected):
        raise ParameterError(f"{name} must be {what}, got {value!r} ({type(value).__name__})")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ParameterError(f"{name} must be a number, got {value!r}")


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ParameterError(f"{name} must be at least {least}, got {value}")
