"""Selectors: pure functions from scores to the candidates that become keyframes.

A further documented selector is a file with a frozen dataclass (see `Selector`), its name in
`SelectorName`, and a line in `make_selector`.
"""

from typing import Literal, get_args

from spark_keyframes.checks import check_choice
from spark_keyframes.selection.aks import AKS, aks
from spark_keyframes.selection.base import Bracket, Selector, checked_brackets, choose
from spark_keyframes.selection.bin import Bin
from spark_keyframes.selection.choice import Choice
from spark_keyframes.selection.survivors import Survivors, contested
from spark_keyframes.selection.top import Top
from spark_keyframes.selection.uniform import Uniform

SelectorName = Literal["aks", "top", "uniform", "bin"]


def make_selector(name: SelectorName, *, t1: float, t2: float, all_depth: int) -> Selector:
    """Return the selector called `name`; t1, t2 and all_depth matter to "aks" alone.

    Raises:
        ParameterError: the name is unknown, or a parameter is out of range.
    """
    check_choice("selector", name, get_args(SelectorName))
    # The parameters of AKS are checked whichever selector is chosen, so that a typo shows at once.
    aks_selector = AKS(t1, t2, all_depth)
    others: dict[str, Selector] = {"top": Top(), "uniform": Uniform(), "bin": Bin()}
    return others.get(name, aks_selector)


__all__ = [
    "AKS",
    "Bin",
    "Bracket",
    "Choice",
    "Selector",
    "SelectorName",
    "Survivors",
    "Top",
    "Uniform",
    "aks",
    "checked_brackets",
    "choose",
    "contested",
    "make_selector",
]
