"""Chooses 32 frames of a day of video; prints how many, and the MB taken beside the embeddings.

python -m tests.selection.a_day gift
"""

import re
import sys
from pathlib import Path

import numpy as np

from spark_keyframes.selection import make_selector


def peak():
    """The most memory that this process has taken so far, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1000


def main():
    name, count = sys.argv[1], 86_400
    random = np.random.default_rng(1)
    rows = random.standard_normal(size=(count, 512), dtype=np.float32)
    scenes = random.standard_normal(size=(count // 60 + 1, 512), dtype=np.float32)
    for start in range(0, count, 4096):  # in parts, so that the peak is that of the rows
        part = rows[start : start + 4096]
        part *= 0.5
        part += scenes[np.arange(start, start + len(part)) // 60]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    scores = rows @ rows[1000]
    before = peak()
    selector = make_selector(name, t1=0.8, t2=-100, all_depth=5)
    chosen = selector.select(scores, 32, embeddings=rows)
    print(len(chosen), peak() - before)


if __name__ == "__main__":
    main()
