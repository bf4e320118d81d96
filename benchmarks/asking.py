"""Measures what further questions cost: several texts of one decode, and an index."""

from __future__ import annotations

from benchmarks import inputs
from benchmarks.measure import measure
from benchmarks.process import OURS, Side
from benchmarks.rows import OURSELVES, THREE_TEXTS, Row
from benchmarks.scope import HALF, Scope, one_core

_TEXTS = ("--texts", "a red car on a road", "a dog", "a cup of coffee")


def texts(scope: Scope) -> list[Row]:
    """One text and three, by ViT-B/32 in both precisions and by a tiny model in float32."""
    rows = []
    for title, precision, model in (
        ("ViT-B/32, bfloat16", HALF, None),
        ("ViT-B/32, float32", "float32", None),
        ("tiny CLIP, float32", "float32", inputs.ROOT / "demo" / "tiny_clip"),
    ):
        sides = [
            Side(OURSELVES, "ours", OURS, precision),
            Side(THREE_TEXTS, "ours", OURS, precision, _TEXTS),
        ]
        made = scope.made(scope.kinds, scope.minutes)
        videos = {f"{video}, {title}": path for video, path in made.items()}
        rows += measure(
            sides, videos, scope.rounds, cores=one_core(), cache=scope.cache, model=model
        )
    return rows
