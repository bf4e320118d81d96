"""The best moments of one video, against an implementation that is slow and plain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.index import BestHits, Hit, best_moments


def slowly(scores, times, *, limit, min_gap, least):
    left = [index for index, score in enumerate(scores) if score >= least]
    found = []
    while left and len(found) < limit:
        best = max(left, key=lambda index: (scores[index], -index))
        found.append(best)
        near = {index for index in left if abs(times[index] - times[best]) < min_gap}
        left = [index for index in left if index not in near | {best}]
    return found


@given(
    candidates=st.lists(
        st.tuples(st.integers(-3, 3), st.integers(0, 4)), max_size=30
    ),  # few values: many ties
    limit=st.integers(1, 8),
    min_gap=st.sampled_from([0, 0.5, 1, 2, 3.5, 100]),
    least=st.sampled_from([-np.inf, -1, 0, 2, 9]),
)
def test_the_best_frame_stands_for_those_near_it(candidates, limit, min_gap, least):
    scores = np.array([score for score, _ in candidates], np.float32)
    times = np.cumsum([step for _, step in candidates]) / 2
    asked = {"limit": limit, "min_gap": min_gap, "least": least}
    assert best_moments(scores, times, **asked) == slowly(scores, times, **asked)


def test_the_least_score_is_not_rounded():
    scores = np.array([0.32067442], np.float32)  # in double a little less
    asked = {"limit": 9, "min_gap": 0}
    assert best_moments(scores, [0.0], least=0.32067442, **asked) == []
    assert best_moments(scores, [0.0], least=float(scores[0]), **asked) == [0]


def test_frames_exactly_min_gap_apart_are_two_moments():
    scores = np.array([0.3, 0.2, 0.25], np.float32)
    assert best_moments(scores, [0.0, 2.0, 3.9], limit=9, min_gap=2.0) == [0, 2]
    assert best_moments(scores, [0.0, 2.0, 4.0], limit=9, min_gap=2.0) == [0, 2, 1]


@given(
    videos=st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=12),
    limit=st.integers(1, 6),
)
def test_the_best_hits_of_many_videos_are_kept_and_ties_go_to_the_first(videos, limit):
    best = BestHits(limit)
    everything = []
    for number, scores in enumerate(videos):
        hits = [Hit(score, number, at, float(at)) for at, score in enumerate(scores)]
        everything += hits
        best.add([hit for hit in hits if hit.score >= best.least])
    assert best.best() == sorted(everything, key=lambda hit: -hit.score)[:limit]
