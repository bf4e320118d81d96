"""The parameters of the documented operator, checked when they are given."""

import math
from dataclasses import dataclass, field, fields
from typing import get_args

from spark_keyframes.checks import (
    check_choice,
    check_integer,
    check_number,
    check_object,
    check_type,
)
from spark_keyframes.clip import Dtype
from spark_keyframes.errors import ParameterError
from spark_keyframes.images import ImgType
from spark_keyframes.limits import Limits
from spark_keyframes.selection import Selector, SelectorName, make_selector
from spark_keyframes.storage import Access
from spark_keyframes.video import DecoderName, VideoSrcType


@dataclass(frozen=True, kw_only=True, repr=False)
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
    selector: SelectorName | Selector = field(default="aks", hash=False)
    decoder: DecoderName = "process"
    limits: Limits = Limits()
    access: Access = Access()

    def __post_init__(self) -> None:
        for name in ("text", "model_path", "clip_model_name", "output_tos_dir", "video_format"):
            check_type(name, getattr(self, name), str, "a string")
        check_type("return_keyframes", self.return_keyframes, bool, "True or False")
        check_type("limits", self.limits, Limits, "a Limits, such as Limits(max_frames=100_000)")
        check_type("access", self.access, Access, "an Access, such as Access(allowed_roots=(…,))")
        for name, choices in (
            ("dtype", Dtype),
            ("video_src_type", VideoSrcType),
            ("img_type", ImgType),
            ("decoder", DecoderName),
        ):
            check_choice(name, getattr(self, name), get_args(choices))
        if isinstance(self.selector, str):
            check_choice("selector", self.selector, get_args(SelectorName))
        else:
            check_object("selector", self.selector, Selector)
        # numpy's numbers are taken, and made Python's: they go to Spark and into messages.
        for name, hint in _NUMBERS.items():
            object.__setattr__(self, name, check_number(name, getattr(self, name), hint))
        for name, (least, hint) in _WHOLE_NUMBERS.items():
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least, hint))
        if isinstance(self.selector, Selector):
            self.check_left_at_default("selector", "t1", "t2", "all_depth")
        object.__setattr__(self, "video_format", self.video_format.lstrip("."))
        if self.fps <= 0 or math.isinf(self.fps):
            raise ParameterError(
                f"fps must be greater than 0 and finite, got {self.fps}; {_NUMBERS['fps']}"
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

    def check_left_at_default(self, replacement: str, *names: str) -> None:
        """Raise ParameterError where a parameter is set that an object given here replaces."""
        defaults = {each.name: each.default for each in fields(self)}
        given = [name for name in names if getattr(self, name) != defaults[name]]
        if given:
            raise ParameterError(
                f"{', '.join(f'{name}={getattr(self, name)!r}' for name in given)} has no effect "
                f"beside {replacement}={getattr(self, replacement)!r}; leave it out, or give it to "
                f"the {replacement}'s own constructor"
            )

    def make_selector(self) -> Selector:
        """Return the selector itself where only its name was given."""
        if isinstance(self.selector, Selector):
            return self.selector
        return make_selector(self.selector, t1=self.t1, t2=self.t2, all_depth=self.all_depth)

    def __repr__(self) -> str:
        changed = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)
            if getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


_NUMBERS = {
    "fps": "use e.g. 0.5 for one frame every two seconds",
    "t1": "use e.g. 0.8, or 0.1 to 0.3 to favour the best matches",
    "t2": "use -100 for no lower limit",
}
_WHOLE_NUMBERS = {
    "max_num_frames": (1, "it is the number of keyframes per video"),
    "all_depth": (0, "5 is the usual depth, and 0 is no spread over the video"),
    "batch_size": (1, "use 16, or 64 and more for a GPU"),
    "rank": (0, "GPUs are numbered from 0"),
}
