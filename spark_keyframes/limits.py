"""Limits on the size, time and memory of one video, which may be broken or hostile."""

import math
from dataclasses import dataclass, fields

from spark_keyframes.checks import check_integer, check_number
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import documented

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on one video. A video that exceeds one fails with LimitError, which names the limit.

    Args:
        max_download_bytes: The most bytes of a video that is not local, after decompression.
        max_download_seconds: The most wall-clock seconds for the download of a video, and for
            waiting for its bytes while it is decoded.
        min_download_rate: The least bytes per second over any minute of waiting for a download. 0:
            no limit.
        max_pixels: The most pixels of one frame. The default is a little over 8K: 54 MB as 4:2:0. A
            crafted header of a few bytes can promise a frame of gigabytes.
        max_frames: The most frames of a video. The default is a day at 115 frames per second.
        max_video_seconds: The longest video, or part of one that is asked for, in seconds. Of a
            frame that stays on screen for longer, 60 seconds count, so that a jump in the
            timestamps does not make a short video long.
        max_decode_seconds: The most wall-clock seconds spent waiting for the decoder, including
            reading the index.
        max_decode_bytes: The most memory that decoding one video may take, as address space of its
            process above what the process needs anyway.
        slow_seconds: A video that takes more wall-clock seconds does not fail, but is named in the
            log of its worker: once while it is at work, and once at its end.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    max_download_bytes: int = documented(
        8 * _GIB, "The most bytes of a video that is not local, after decompression."
    )
    max_download_seconds: float = documented(
        3600.0,
        "The most wall-clock seconds for the download of a video, and for waiting for its bytes "
        "while it is decoded.",
    )
    min_download_rate: float = documented(
        1024.0, "The least bytes per second over any minute of waiting for a download. 0: no limit."
    )
    max_pixels: int = documented(
        8192 * 4352,
        "The most pixels of one frame. The default is a little over 8K: 54 MB as 4:2:0. A crafted "
        "header of a few bytes can promise a frame of gigabytes.",
    )
    max_frames: int = documented(
        10_000_000,
        "The most frames of a video. The default is a day at 115 frames per second.",
    )
    max_video_seconds: float = documented(
        86_400.0,
        "The longest video, or part of one that is asked for, in seconds. Of a frame that stays on "
        "screen for longer, 60 seconds count, so that a jump in the timestamps does not make a "
        "short video long.",
    )
    max_decode_seconds: float = documented(
        3600.0,
        "The most wall-clock seconds spent waiting for the decoder, including reading the index.",
    )
    max_decode_bytes: int = documented(
        4 * _GIB,
        "The most memory that decoding one video may take, as address space of its process above "
        "what the process needs anyway.",
    )
    slow_seconds: float = documented(
        60.0,
        "A video that takes more wall-clock seconds does not fail, but is named in the log of its "
        "worker: once while it is at work, and once at its end.",
    )

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
