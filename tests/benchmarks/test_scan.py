"""What coarse scans keep of the choice, in drawn videos."""

from dataclasses import replace
from itertools import pairwise

import pytest

from benchmarks.choice.scanning import GOPS, Gops, scan_draws
from benchmarks.choice.videos import KINDS, plan
from benchmarks.scan import DEFAULT, gain_table, goals


def test_keyframes_are_where_the_encoder_puts_them():
    video = plan(replace(KINDS["2 hours of both"], minutes=20, fps=1.0), 0, 0)
    at_cuts = GOPS[0].starts(video)
    assert at_cuts[0] == 0
    assert all(0 < b - a <= 250 for a, b in pairwise(at_cuts))
    for scene in video.scenes:
        first = min(frame for frame in at_cuts if frame / 25 >= scene.start - 1e-9)
        assert first / 25 - scene.start < 0.04, "the first frame of a shot is a keyframe"
    assert Gops("", 2, at_cuts=False).starts(video) == list(range(0, 30_000, 50))


@pytest.mark.slow
def test_a_small_run_keeps_most_of_the_gain(tmp_path):
    kept = scan_draws(1, tmp_path, budgets=(DEFAULT, 1.0), minutes=20)
    for gops in GOPS:
        of, every = kept[gops.name, DEFAULT], kept[gops.name, 1.0]
        assert max(of.scored) <= DEFAULT + 0.001
        assert 0.7 < of.mean < 1.3
        # It ends when the selector, on the high side, chooses nothing that was not scored.
        assert every.mean == pytest.approx(1, abs=0.01)
    assert "(default)" in gain_table(kept)
    assert len(goals(kept)) == 3 * len(GOPS)
