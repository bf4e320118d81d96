"""Checks of parameters: what was wrong, the value, and what to do."""

import math
import operator
from collections.abc import Collection
from numbers import Real
from typing import Any

from spark_keyframes.errors import ParameterError


def check_type(name: str, value: Any, expected: type, what: str) -> None:
    """Raise ParameterError unless `value` is of a type, called `what` in the message."""
    if not isinstance(value, expected):
        raise ParameterError(f"{name} must be {what}, got {value!r} ({type(value).__name__})")


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise ParameterError unless `value` is one of `choices`."""
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def number(name: str, value: Any, hint: str) -> float:
    """A number of Python or numpy as a float, or ParameterError; `hint` says what to do."""
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise ParameterError(f"{name} must be a number, got {value!r}; {hint}")
    return float(value)


def whole(name: str, value: Any, least: int, hint: str) -> int:
    """A whole number of Python or numpy as an int, or ParameterError; `hint` says what to do."""
    try:
        result = operator.index(value)
    except TypeError:
        result = None
    if result is None or isinstance(value, bool):
        raise ParameterError(f"{name} must be a whole number, got {value!r}; {hint}")
    if result < least:
        raise ParameterError(f"{name} must be at least {least}, got {value}; {hint}")
    return result
