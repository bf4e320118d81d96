"""Limits on the size, time and memory of one video, which may be broken or hostile."""

import math
from dataclasses import dataclass, fields

from spark_keyframes.checks import check_integer, check_number
from spark_keyframes.errors import ParameterError

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on one video. A video that exceeds one fails with LimitError, which names the limit.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    max_download_bytes: int = 8 * _GIB
    """of what is not local, unpacked if it comes compressed"""
    max_download_seconds: float = 3600.0
    """on the clock, for all of a video"""
    min_download_rate: float = 1024.0
    """bytes per second, over any minute in which a video is waited for; 0: no matter how slow"""
    max_pixels: int = 8192 * 4352
    """of one picture; the default is a little over 8K, 54 MB as 4:2:0. A crafted header of a few
    bytes may promise a picture of gigabytes."""
    max_frames: int = 10_000_000
    """of the whole video; the default is a day at 115 frames per second"""
    max_video_seconds: float = 86_400.0
    """how long the video plays"""
    max_decode_seconds: float = 3600.0
    """on the clock, in which the decoder is waited for; to read the index is part of it"""
    max_decode_bytes: int = 4 * _GIB
    """memory that decoding one video may take, as address space of its process"""
    slow_seconds: float = 60.0
    """on the clock, for all of a video. One that takes longer does not fail: it is named in the log
    of its worker, while it is at work and at its end."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                checked: float = check_integer(field.name, value, 1, "raise it, or leave it out")
            else:
                checked = check_number(field.name, value, "it may be infinite: math.inf")
                if checked < 0 or (checked == 0 and field.name != "min_download_rate"):
                    raise ParameterError(f"{field.name} must be greater than 0, got {value}")
                if math.isinf(checked) and field.name == "min_download_rate":
                    raise ParameterError("min_download_rate must be finite, got inf; use e.g. 1024")
            object.__setattr__(self, field.name, checked)
