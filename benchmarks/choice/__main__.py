"""Measures which frames each selector chooses, in drawn videos whose events are known.

    python -m benchmarks.choice [--draws 50] [--seed 0] [--kinds ...] [--encoded 4]
                                [--cache FOLDER] [--output FILE] [--picture FILE]

Each selector chooses 1, 4, 8, 16 and 32 frames for questions with one, two and many events, by the
scores of the tiny CLIP of the demo. The report is benchmarks/CHOICE.md, and the picture
docs/choosing.svg. Drawing and embedding takes 9 minutes of one core, and choosing 6. The embeddings
are kept in the cache folder: empty it after a change of the demo or of the preprocessing.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.choice.encoded import compare
from benchmarks.choice.measuring import Measured, measure
from benchmarks.choice.picture import picture
from benchmarks.choice.report import report
from benchmarks.choice.videos import KINDS

_HERE = Path(__file__)
_CACHE = Path(tempfile.gettempdir()) / "spark_keyframes_choice"


def main() -> None:
    """Measure, and write the report and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=50, help="videos of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument(
        "--encoded", type=int, default=4, help="videos to compare with their files (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=_CACHE)
    parser.add_argument("--output", type=Path, default=_HERE.parents[1] / "CHOICE.md")
    parser.add_argument("--picture", type=Path, default=_HERE.parents[2] / "docs" / "choosing.svg")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # the report's minutes are those of one core
    begin = time.process_time()
    kinds = [KINDS[name] for name in options.kinds]
    encoded = range(options.encoded)
    agreement = compare(encoded, options.seed, options.cache) if encoded else None
    measured = measure(kinds, options.draws, options.seed, options.cache)
    head = _head(measured, options.seed, time.process_time() - begin)
    options.output.write_text(report(measured, agreement, head, options.seed), encoding="utf-8")
    options.picture.write_text(picture(measured), encoding="utf-8")
    print(f"seed {options.seed}, {(time.process_time() - begin) / 60:.1f} minutes of one core")
    print(options.output, options.picture, sep="\n")


def _head(measured: Measured, seed: int, seconds: float) -> str:
    command = shlex.join(["python", "-m", "benchmarks.choice", *sys.argv[1:]])
    drawing, choosing = (s / 60 for s in measured.cpu_seconds.values())
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"""# Which frames each selector chooses

Written by `{command}`. Do not edit it.

| | |
|---|---|
| date | {today} |
| seed, videos | {seed}, {len(measured.kinds)} |
| minutes of one core | {seconds / 60:.1f}: {drawing:.1f} to draw and embed, or to read what is \
kept; {choosing:.1f} to choose |
| with | torch {version("torch")}, transformers {version("transformers")}, numpy \
{version("numpy")}, pillow {version("pillow")} |"""


if __name__ == "__main__":
    main()
