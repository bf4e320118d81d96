"""Checks of parameter values; the errors name the parameter, the value and the remedy."""

import math
import operator
import os
import re
from collections.abc import Collection
from numbers import Real
from typing import Any

from spark_keyframes.errors import ParameterError

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def size_in_bytes(text: str) -> int:
    """Return the bytes of "8589934592", "8G" or "512M"; units are powers of 1024.

    Raises:
        ValueError: the text is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be a number of bytes such as 8589934592, 8G or 512M, got {text!r}")
    return int(float(match[1]) * SIZE_UNITS[match[2].upper()])


def check_type(name: str, value: Any, expected: type, what: str) -> None:
    """Raise ParameterError unless `value` is an `expected`; `what` names the type."""
    if not isinstance(value, expected):
        raise ParameterError(f"{name} must be {what}, got {value!r} ({type(value).__name__})")


def lone_surrogate(text: str) -> str:
    """Return what is wrong with a text that UTF-8 cannot express, or "" for any other."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"has half of a surrogate pair, {text[error.start]!r}, at character {error.start}; "
            "decode its bytes as UTF-8, or as UTF-16 with both halves"
        )
    return ""


def path_text(value: Any) -> Any:
    """Return a `Path` as its text, and any other value as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def check_object(name: str, value: Any, base: type) -> None:
    """Raise ParameterError unless `value` is an object of a subclass of `base`."""
    if isinstance(value, type) and issubclass(value, base):
        raise ParameterError(
            f"{name} takes objects, got the class {value.__name__}; use {value.__name__}()"
        )
    check_type(name, value, base, f"an object of a subclass of {base.__name__}")


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise ParameterError unless `value` is one of `choices`."""
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_number(name: str, value: Any, hint: str) -> float:
    """Return a Python or numpy number as a float.

    Raises:
        ParameterError: it is no number, or NaN; the message ends with `hint`.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise ParameterError(f"{name} must be a number, got {value!r}; {hint}")
    return float(value)


def check_integer(name: str, value: Any, least: int, hint: str) -> int:
    """Return a Python or numpy integer as an int.

    Raises:
        ParameterError: it is no integer, or below `least`; the message ends with `hint`.
    """
    try:
        result = operator.index(value)
    except TypeError:
        result = None
    if result is None or isinstance(value, bool):
        raise ParameterError(f"{name} must be a whole number, got {value!r}; {hint}")
    if result < least:
        raise ParameterError(f"{name} must be at least {least}, got {value}; {hint}")
    return result
