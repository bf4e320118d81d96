"""Checks the parameters `scan` and `scan_budget`."""

from typing import Literal

from spark_keyframes.errors import ParameterError
from spark_keyframes.selection import AKS, Bin, Selector, Top

ScanName = Literal["exhaustive", "coarse"]

BY_SCORES_ALONE = (AKS, Top, Bin)
"""Selectors that choose by the scores alone, and whose way to choose is known."""


def check_scan(scan: ScanName, budget: float, selector: Selector, max_similarity: float) -> None:
    """Raise ParameterError where the parameters do not fit together."""
    if not 0 < budget <= 1:
        raise ParameterError(
            f"scan_budget must be greater than 0 and at most 1, got {budget}; use e.g. 0.35"
        )
    if scan == "exhaustive":
        return
    if type(selector) not in BY_SCORES_ALONE:
        raise ParameterError(
            f'scan="{scan}" needs a selector that chooses by scores alone, got {selector!r}; use '
            'selector="aks", "top" or "bin", or leave scan out'
        )
    if max_similarity < 1:
        raise ParameterError(
            f'scan="{scan}" does not go with max_similarity, which compares the embeddings of all '
            "candidates; use min_gap, or leave scan out"
        )


def check_looks_at_all(scan: ScanName, what: str) -> None:
    """Raise ParameterError for another scan, where `what` needs all candidates."""
    if scan != "exhaustive":
        raise ParameterError(f'scan="{scan}" does not go with {what}; leave scan out')
