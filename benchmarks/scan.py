"""Measures how much of the choice scan="coarse" keeps.

    python -m benchmarks.scan [--draws 50] [--budgets 0.25 0.3 0.35 0.4] [--selector aks]
                              [--frames 32] [--cache FOLDER]

In drawn videos of 60 minutes whose events are known, at a candidate per second, by the scores of
the demo's tiny CLIP. Each video is asked four questions. "Gain kept" is (coarse - uniform) /
(exhaustive - uniform), of the mean scores of the keyframes; uniform keyframes have equal distances.
"Events" are those that keyframes of the exhaustive scan show: the share that those of the coarse
scan show too.

Embeddings are kept in the cache folder, which benchmarks.choice shares: empty it after a change of
the demo or of the preprocessing. `python -m benchmarks --parts hour` measures the CPU time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.choice.scanning import GOPS, Kept, scan_draws
from benchmarks.scope import Scope
from benchmarks.section import Goal, Section, at_least, table
from spark_keyframes.parameters import Parameters

DEFAULT = Parameters().scan_budget
BUDGETS = (0.25, 0.3, DEFAULT, 0.4)
DRAWS = 50
_CACHE = Path(tempfile.gettempdir()) / "spark_keyframes_choice"

_ABOUT = (
    "drawn videos of 60 minutes with four questions each, 32 keyframes by AKS of a candidate per "
    "second. Gain: (coarse - uniform) / (exhaustive - uniform), of the keyframes' mean scores; "
    "above 1 where slices that were not looked at leave their places to better frames. Events: of "
    "those that keyframes of an exhaustive scan show, those that the coarse scan's show too; in "
    "brackets, all that these show, per event that those show. Scored: frames per candidate, "
    "keyframes of the codec included. Where keyframes are is planned, not encoded."
)


def measure(scope: Scope) -> Section:
    """Return it as a part of the report."""
    draws, minutes = (1, 20) if scope.quick else (DRAWS, 60)
    kept = scan_draws(draws, _CACHE, budgets=BUDGETS, minutes=minutes)
    return Section(
        "What a coarse scan keeps", f"{draws} {_ABOUT}\n\n{gain_table(kept)}", goals(kept)
    )


def goals(kept: dict[tuple[str, float], Kept]) -> tuple[Goal, ...]:
    """Return the goals at the default budget."""
    found = []
    for gops in GOPS:
        of = kept[gops.name, DEFAULT]
        found += [
            at_least(
                f"gain over uniform that a coarse scan keeps, keyframes {gops.name}: mean",
                of.mean,
                0.93,
            ),
            at_least("… the worst tenth is below", of.tenth, 0.8),
            at_least("… events hit, of those that an exhaustive scan hits", of.events, 0.95),
        ]
    return tuple(found)


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


def main() -> None:
    """Print the table, and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS)
    parser.add_argument("--selector", default="aks", choices=["aks", "top", "bin"])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="of drawn frames' embeddings")
    options = parser.parse_args()
    kept = scan_draws(
        options.draws,
        options.cache,
        budgets=options.budgets,
        selector=options.selector,
        k=options.frames,
    )
    print(gain_table(kept), end="\n\n")
    for goal in goals(kept) if DEFAULT in options.budgets else ():
        print(f"{goal.text}: {goal.measured} ({goal.bound}): {goal.verdict}")


if __name__ == "__main__":
    main()
