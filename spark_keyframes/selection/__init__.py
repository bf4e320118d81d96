"""Which candidates become keyframes: pure functions of scores.

A further selector is a file with a frozen dataclass (see `Selector`) and a line in `_MAKERS`.
"""

from collections.abc import Callable
from typing import Literal, get_args

from spark_keyframes.checks import check_choice
from spark_keyframes.selection.aks import AKS, aks
from spark_keyframes.selection.base import Selector, Survivors, contested
from spark_keyframes.selection.bin import Bin
from spark_keyframes.selection.top import Top
from spark_keyframes.selection.uniform import Uniform

SelectorName = Literal["aks", "top", "uniform", "bin"]

_MAKERS: dict[str, Callable[[int, float, float, int], Selector]] = {
    "aks": AKS,
    "top": lambda max_num_frames, *_: Top(max_num_frames),
    "uniform": lambda max_num_frames, *_: Uniform(max_num_frames),
    "bin": lambda max_num_frames, *_: Bin(max_num_frames),
}


def make_selector(
    name: SelectorName, *, max_num_frames: int, t1: float, t2: float, all_depth: int
) -> Selector:
    """The selector called `name`; t1, t2 and all_depth matter to "aks" alone.

    Raises ParameterError for an unknown name or a parameter out of range.
    """
    # AKS' own parameters are checked whichever selector is chosen: a typo should not wait.
    AKS(max_num_frames, t1, t2, all_depth)
    check_choice("selector", name, get_args(SelectorName))
    return _MAKERS[name](max_num_frames, t1, t2, all_depth)


__all__ = [
    "AKS",
    "Bin",
    "Selector",
    "SelectorName",
    "Survivors",
    "Top",
    "Uniform",
    "aks",
    "contested",
    "make_selector",
]
