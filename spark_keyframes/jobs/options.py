"""The operator's parameters as options of a command line, made from its dataclasses."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import Field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin

HELP = {
    "text": "what to look for, best as a caption: 'a red car seen from above'",
    "model_path": "folder that holds CLIP models; '' loads from the Hugging Face Hub",
    "clip_model_name": "the model: a folder below --model-path, or a name on the Hub",
    "dtype": "float16 is faster; float32 is exact",
    "video_src_type": "what --input-col holds: paths or URLs, base64, or bytes",
    "fps": "frames to look at per second of video; 0.5 is one every two seconds",
    "max_num_frames": "keyframes to select per video",
    "t1": "lower (0.1 to 0.3) to favour the best matches over an even spread",
    "t2": "least spread of scores for t1 to apply",
    "all_depth": "how often the video may be halved to spread keyframes; 0: no spread",
    "img_type": "format of the keyframe images",
    "output_tos_dir": "where the images go: tos://bucket/prefix or a folder; '': nowhere",
    "return_keyframes": "with --output: store the images in the table too, as arrays",
    "batch_size": "frames per CLIP batch; 64 or more for a GPU",
    "rank": "GPU number, where Spark has not assigned one",
    "video_format": "container of base64 or binary videos, where their bytes do not tell",
    "selector": "how to select: aks (best and spread), top, bin or uniform to compare",
    "decoder": "process: a codec that crashes costs one video; thread: in the task itself",
    "max_download_bytes": "of a video that is not local",
    "max_download_seconds": "on the clock, for all of a video",
    "min_download_rate": "bytes per second over a minute of waiting; 0: no matter how slow",
    "max_pixels": "of one picture: a little over 8K",
    "max_frames": "of the whole video",
    "max_video_seconds": "how long the video plays",
    "max_decode_seconds": "on the clock, in which the decoder is waited for",
    "max_decode_bytes": "memory that decoding one video may take",
    "slow_seconds": "a video that takes longer does not fail, but is named in its worker's log",
    "allowed_schemes": "read only URLs of these, such as: https tos; plain paths are 'file'",
    "allowed_hosts": "read only from these hosts ('*.example.com' for all below one) or buckets",
    "allowed_roots": "read local files only in these folders",
    "private_addresses": "read from addresses that are not public, such as 10.0.0.1",
}
"""What each option is for, by the field's name; names are unique over all the dataclasses."""

TITLES = {
    "limits": "what one video may take before it fails",
    "access": "which URLs may be read, where strangers have a hand in the list",
}
"""Of the group of options for each parameter that is a dataclass itself."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def add_options(parser: argparse.ArgumentParser, parameters: type) -> None:
    """Add an option for each field of `parameters`; one that is a dataclass has its own group."""
    _add_group(parser, "what to select: the parameters of the operator", parameters)
    for field, part in _nested(parameters):
        _add_group(parser, TITLES.get(field.name, field.name), part)


def values_of(options: argparse.Namespace, parameters: type) -> dict[str, Any]:
    """The values for the fields of `parameters`, from what was given.

    Raises ParameterError for a value that a field's own dataclass refuses.
    """
    nested = {
        field.name: part(**_plain_values(options, part)) for field, part in _nested(parameters)
    }
    return {**_plain_values(options, parameters), **nested}


def size(text: str) -> int:
    """Bytes from "8589934592", "8G" or "512M"; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"must be a number of bytes such as 8589934592, 8G or 512M, got {text!r}"
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _plain(parameters: type) -> "list[Field[Any]]":
    return [field for field in fields(parameters) if not is_dataclass(field.default)]


def _nested(parameters: type) -> "list[tuple[Field[Any], type]]":
    """The other fields, each with its dataclass."""
    found: list[Field[Any]] = [f for f in fields(parameters) if is_dataclass(f.default)]
    return [(field, type(field.default)) for field in found]


def _plain_values(options: argparse.Namespace, parameters: type) -> dict[str, Any]:
    values = {field.name: getattr(options, field.name) for field in _plain(parameters)}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _add_group(parser: argparse.ArgumentParser, title: str, parameters: type) -> None:
    group = parser.add_argument_group(title)
    for field in _plain(parameters):
        # A field without help is an option all the same; a test says that it lacks it.
        text = HELP.get(field.name, "")
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            default=field.default,
            help=f"{text} ({_shown(field)})".strip().replace("%", "%%"),
            **_kind(field),
        )


def _kind(field: "Field[Any]") -> dict[str, Any]:
    if field.type is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(field.type) is Literal:
        return {"choices": get_args(field.type)}
    if get_origin(field.type) is tuple:
        # Not "*": an empty shell variable would allow everything.
        return {"nargs": "+", "metavar": "NAME"}
    if _is_size(field):
        return {"type": size, "metavar": "SIZE"}
    return {"type": field.type, "metavar": "VALUE"}


def _is_size(field: "Field[Any]") -> bool:
    return field.type is int and field.name.endswith("_bytes")


def _shown(field: "Field[Any]") -> str:
    default: Any = field.default
    if _is_size(field):
        for unit, factor in reversed(_UNITS.items()):
            if default % factor == 0:
                return f"{default // factor}{unit}"
    if isinstance(default, Sequence) and not isinstance(default, str):
        return " ".join(default) or "all"
    return repr(default)
