"""Measures scan="coarse": what it costs, and how much of the choice it keeps.

    python -m benchmarks.scan [--draws 50] [--budgets 0.25 0.3 0.35 0.4] [--minutes 60]
                              [--rounds 1] [--what gain cost] [--cache FOLDER]

Gain: in drawn videos of 60 minutes whose events are known, at a candidate per second, by the scores
of the demo's tiny CLIP; each video is asked four questions. "Gain kept" is (coarse - uniform) /
(exhaustive - uniform), of the mean scores of the 32 keyframes that AKS chooses; uniform keyframes
have equal distances. "Events" are those that the keyframes of the exhaustive scan show: the share
that those of the coarse scan show too.

Cost: CPU time, user and system, of a video of real clips with CLIP ViT-B/32 in half precision on
one core. The two scans take turns. Its weights are random, so that no score guides the scan: the
whole budget is used.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import inputs
from benchmarks.choice.scanning import GOPS, Kept, scan_draws
from benchmarks.measure import measure as take_turns
from benchmarks.process import OURS, Side
from benchmarks.rows import Row
from benchmarks.scope import HALF, Scope, one_core
from benchmarks.section import Goal, Section, at_least, at_most, table
from spark_keyframes.parameters import Parameters

DEFAULT = Parameters().scan_budget
BUDGETS = (0.25, 0.3, DEFAULT, 0.4)
DRAWS = 50
MINUTES = 60
_CACHE = Path(tempfile.gettempdir()) / "spark_keyframes_choice"
_SIDES = [
    Side("exhaustive", "ours", OURS, HALF),
    Side("coarse", "ours", OURS, HALF, ("--scan", "coarse")),
]


def measure(scope: Scope) -> Section:
    """Return both as a part of the report."""
    kept = scan_draws(DRAWS, _CACHE, budgets=BUDGETS)
    rows = cost_rows(MINUTES, scope.rounds, cache=scope.cache, videos=scope.videos)
    text = f"{_GAIN_TEXT}\n\n{gain_table(kept)}\n\n{cost_table(rows)}"
    return Section('Looking at some candidates: scan="coarse"', text, goals(kept, rows))


def cost_rows(minutes: int, rounds: int, *, cache: Path, videos: Path) -> list[Row]:
    """Let both scans take turns on a video of 720p."""
    path = inputs.prepare(inputs.KINDS["720p"], minutes, cache=cache, videos=videos)
    title = {f"720p {minutes} min": path}
    return take_turns(_SIDES, title, rounds, cores=one_core(), cache=cache)


def goals(kept: dict[tuple[str, float], Kept], rows: Sequence[Row]) -> tuple[Goal, ...]:
    """Return the goals at the default budget, of the GOPs of x264's default and of streams."""
    found = []
    costs = [row.cpu for row in rows if row.costs]
    if len(costs) == len(_SIDES):
        exhaustive, coarse = costs
        title = rows[0].video
        found.append(at_most(f"coarse to exhaustive, {title}, CPU", coarse / exhaustive, 0.35))
    for gops in GOPS[:2] if kept else ():
        of = kept[gops.name, DEFAULT]
        found += [
            at_least(f"gain kept over uniform, mean; {gops.name}", of.mean, 0.93),
            at_least("… the worst tenth is below", of.tenth, 0.8),
            at_least("… events hit, of those that exhaustive hits", of.events, 0.95),
        ]
    return tuple(found)


_GAIN_TEXT = (
    f"{DRAWS} drawn videos of 60 minutes with four questions each, 32 keyframes by AKS of a "
    "candidate per second. Gain: (coarse - uniform) / (exhaustive - uniform), of the keyframes' "
    "mean scores. Events: of those that keyframes of an exhaustive scan show, those that the "
    "coarse scan's show too; in brackets, all that these show, per event that those show. Scored: "
    "frames per candidate, keyframes of the codec included."
)


def gain_table(kept: dict[tuple[str, float], Kept]) -> str:
    """Return what was kept as a table in Markdown."""
    head = ["keyframes of the codec", "budget", "gain, mean", "worst tenth", "events", "scored"]
    rows = [
        [
            name,
            f"{budget:g}{' (default)' if budget == DEFAULT else ''}",
            f"{of.mean:.3f}",
            f"{of.tenth:.3f}",
            f"{of.events:.3f} ({of.hit_coarsely / of.hit:.3f})",
            f"{sum(of.scored) / len(of.scored):.2f}",
        ]
        for (name, budget), of in kept.items()
    ]
    return table(head, rows)


def cost_table(rows: Sequence[Row]) -> str:
    """Return the CPU seconds as a table in Markdown."""
    return table(
        ["scan", "video", "CPU s", "frames decoded", "candidates scored"],
        [
            [
                row.side,
                row.video,
                f"{row.cpu:.1f}",
                str(row.costs[-1].result["decoded"]),
                str(row.costs[-1].result["scored"]),
            ]
            for row in rows
            if row.costs
        ],
    )


def main() -> None:
    """Print the tables and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS)
    parser.add_argument("--minutes", type=int, default=MINUTES, help="of the video for the cost")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--what", nargs="+", choices=["gain", "cost"], default=["gain", "cost"])
    parser.add_argument("--selector", default="aks", choices=["aks", "top", "bin"])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="of drawn frames' embeddings")
    options = parser.parse_args()
    kept: dict[tuple[str, float], Kept] = {}
    rows: list[Row] = []
    if "gain" in options.what:
        kept = scan_draws(
            options.draws,
            options.cache,
            budgets=options.budgets,
            selector=options.selector,
            k=options.frames,
        )
        print(gain_table(kept), end="\n\n")
    if "cost" in options.what:
        rows = cost_rows(options.minutes, options.rounds, cache=inputs.CACHE, videos=inputs.VIDEOS)
        print(cost_table(rows), end="\n\n")
    for goal in goals(kept if DEFAULT in options.budgets else {}, rows):
        print(f"{goal.text}: {goal.measured} ({goal.bound}): {goal.verdict}")


if __name__ == "__main__":
    main()
