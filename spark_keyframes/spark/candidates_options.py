"""The options of the data source of frames, made from the texts that Spark hands over."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin

from spark_keyframes.checks import check_choice, check_integer, size_in_bytes
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import documented
from spark_keyframes.images import ImgType
from spark_keyframes.limits import Limits
from spark_keyframes.result import ImagesAs, OnError
from spark_keyframes.storage import Access
from spark_keyframes.video import CpuDecoderName
from spark_keyframes.video.stream_choice import check_video_stream
from spark_keyframes.video.timeline import exact_fps


@dataclass(frozen=True, kw_only=True)
class CandidatesOptions:
    """The options of `spark.read.format("keyframe_candidates")`, as Python's values.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    fps: float = documented(
        1.0,
        "Frames per second of video, above 0; 0.5 is one every two seconds. Above the video's own "
        "rate: every frame.",
    )
    image: bool = documented(
        False, "Decode the frames, and add the column image. Without it, packets are read only."
    )
    images: ImagesAs = documented(
        "arrays",
        "What the column image holds: arrays (pixels in Spark's image schema) or encoded (binary: "
        "files of `img_type`, about a tenth of the size).",
    )
    img_type: ImgType = documented(
        ".jpg", "The format of encoded images: .jpg (quality 90) or .png."
    )
    on_error: OnError = documented(
        "raise",
        "raise: a video that fails makes the job fail. null: it gives a row with its path, the "
        "reason in the column error, and nulls, after the frames that were read before.",
    )
    video_stream: int | None = documented(
        None,
        "The video stream to read, counted from 0 among the video streams as FFmpeg's v:0. None: "
        "FFmpeg's own choice among those that can be decoded.",
    )
    decoder: CpuDecoderName = documented(
        "process",
        "Where videos are decoded. process: in child processes, so that a video that crashes its "
        "codec is one video that fails. thread: in the task itself.",
    )
    partition_bytes: int = documented(
        256 * 2**20,
        "With `image`, a file of more bytes is read in several partitions, of about as many bytes "
        "each. The default is 256 MB.",
    )
    max_partitions: int = documented(
        10_000,
        "The most partitions. Where there are more videos and parts, a partition has several.",
    )
    limits: Limits = documented(Limits(), "Limits on one video; each is an option.")
    access: Access = documented(Access(), "Which URLs may be read; each is an option.")

    def __post_init__(self) -> None:
        exact_fps(self.fps)
        check_video_stream(self.video_stream)
        check_integer("partition_bytes", self.partition_bytes, 1, "use e.g. 256M")
        check_integer("max_partitions", self.max_partitions, 1, "use e.g. 1000")

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """Return the options in texts; `path` and `paths` are none of them.

        Upper case and underscores make no difference: `maxDownloadBytes` is max_download_bytes.

        Raises:
            ParameterError: an option is unknown, or its value is invalid.
        """
        known = {_plain(field.name): field for field in option_fields()}
        given: dict[str, Any] = {}
        for name, text in options.items():
            if _plain(name) in ("path", "paths"):
                continue
            if name.lower() == "location":  # only from CREATE TABLE, and never when it is read
                raise ParameterError(
                    "keyframe_candidates cannot be a table: Spark gives the options of a table to "
                    "no Python data source; use CREATE TEMPORARY VIEW name USING "
                    "keyframe_candidates OPTIONS (path '...')"
                )
            field = known.get(_plain(name))
            if field is None:
                names = [each.name for each in known.values()]
                close = difflib.get_close_matches(name, names, n=1)
                advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"
                raise ParameterError(f"keyframe_candidates has no option {name!r}; {advice}")
            given[field.name] = _value(field, text)
        limits, access = (
            {f.name: given.pop(f.name) for f in fields(kind) if f.name in given}
            for kind in (Limits, Access)
        )
        return cls(limits=Limits(**limits), access=Access(**access), **given)


def paths_of(options: Mapping[str, str]) -> list[str]:
    """Return what was given to `load`, one path or several.

    Raises:
        ParameterError: there is none.
    """
    # Spark passes several as JSON.
    paths = [options[name] for name in ("path",) if name in options]
    paths += json.loads(options.get("paths", "[]"))
    if not paths:
        raise ParameterError(
            "keyframe_candidates needs a path; use e.g. load('videos/*.mp4'), or load() with a "
            "list of videos and folders"
        )
    return paths


def option_fields() -> list[Field[Any]]:
    """Return the field of each option, those of limits and access last."""
    own = [field for field in fields(CandidatesOptions) if field.type not in (Limits, Access)]
    return [*own, *fields(Limits), *fields(Access)]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _value(field: Field[Any], text: str) -> Any:
    """Return the value of an option.

    Raises:
        ParameterError: the text does not stand for one.
    """
    kind, name, text = field.type, field.name, text.strip()
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        check_choice(name, text, get_args(kind))
        return text
    if kind is bool:
        check_choice(name, text.lower(), ("true", "false"))
        return text.lower() == "true"
    if get_origin(kind) is tuple:
        values = tuple(each.strip() for each in text.split(","))
        if "" in values:  # an empty variable would allow everything
            raise ParameterError(
                f"{name} must be names with commas between them, got {text!r}; leave it out to "
                "allow everything"
            )
        return values
    try:
        if kind is int:
            return size_in_bytes(text) if name.endswith("_bytes") else int(text)
        return float(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        what = "a number of bytes such as 8G or 512M" if name.endswith("_bytes") else what
        raise ParameterError(f"{name} must be {what}, got {text!r}") from None
