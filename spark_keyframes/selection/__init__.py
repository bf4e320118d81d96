"""Selectors: pure functions from scores to the candidates that become keyframes.

A further documented selector is a file with a frozen dataclass (see `Selector`), its name in
`SelectorName`, and a line in `make_selector`.
"""

from typing import Literal, get_args

from spark_keyframes.checks import check_choice
from spark_keyframes.selection.aks import AKS, aks
from spark_keyframes.selection.base import Bracket, Selector, checked_brackets, choose
from spark_keyframes.selection.bin import Bin
from spark_keyframes.selection.choice import Choice, Decision
from spark_keyframes.selection.gift import Gift
from spark_keyframes.selection.logdet import LogDet
from spark_keyframes.selection.part import Part
from spark_keyframes.selection.repeats import Repeats
from spark_keyframes.selection.summary import Summary
from spark_keyframes.selection.survivors import Survivors, contested
from spark_keyframes.selection.top import Top
from spark_keyframes.selection.trace import Trace
from spark_keyframes.selection.uniform import Uniform

SelectorName = Literal["aks", "top", "uniform", "bin", "gift", "logdet", "summary"]


def make_selector(
    name: SelectorName, *, t1: float, t2: float, all_depth: int, diversity: float = 0.05
) -> Selector:
    """Return the selector called `name`.

    t1, t2 and all_depth matter to "aks" alone, and diversity to "logdet".

    Raises:
        ParameterError: the name is unknown, or a parameter is out of range.
    """
    check_choice("selector", name, get_args(SelectorName))
    # All are made, so that wrong parameters are errors whichever selector is chosen.
    selectors: dict[SelectorName, Selector] = {
        "aks": AKS(t1, t2, all_depth),
        "top": Top(),
        "uniform": Uniform(),
        "bin": Bin(),
        "gift": Gift(),
        "logdet": LogDet(diversity),
        "summary": Summary(),
    }
    return selectors[name]


__all__ = [
    "AKS",
    "Bin",
    "Bracket",
    "Choice",
    "Decision",
    "Gift",
    "LogDet",
    "Part",
    "Repeats",
    "Selector",
    "SelectorName",
    "Summary",
    "Survivors",
    "Top",
    "Trace",
    "Uniform",
    "aks",
    "checked_brackets",
    "choose",
    "contested",
    "make_selector",
]
