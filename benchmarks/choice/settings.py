"""The selectors and settings that are measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.selection import Choice, SelectorName

KS = (1, 4, 8, 16, 32)
T1 = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
T2 = (0.1, 0.15, 0.2)
DEPTHS = (0, 1, 2, 3, 4, 8)
DIVERSITY = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.5, 1.0)
MIN_GAPS = (5, 10)
SIMILARITIES = (0.95, 0.9)

SELECTORS: dict[str, Mapping[str, Any]] = {
    name: {"selector": name} for name in get_args(SelectorName)
}
"""Every selector with its defaults, by its name."""
VARIANTS: dict[str, Mapping[str, Any]] = {
    **{f"aks, t1={t1:g}": {"t1": t1} for t1 in T1},
    **{f"aks, t1=0.3, t2={t2:g}": {"t1": 0.3, "t2": t2} for t2 in T2},
    **{f"aks, all_depth={depth}": {"all_depth": depth} for depth in DEPTHS},
    **{f"logdet, diversity={d:g}": {"selector": "logdet", "diversity": d} for d in DIVERSITY},
    **{f"top, min_gap={gap}": {"selector": "top", "min_gap": gap} for gap in MIN_GAPS},
    **{
        f"{name}, max_similarity={similarity:g}": {
            "selector": name,
            "max_similarity": similarity,
        }
        for name in ("top", "aks")
        for similarity in SIMILARITIES
    },
}
"""Further settings, by what the report calls them."""


def make_choice(setting: Mapping[str, Any], k: int) -> Choice:
    """Return the choice of k frames by a setting."""
    return VideoAdaptiveKeyframesSampling(**setting, max_num_frames=k).make_choice()
