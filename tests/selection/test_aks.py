"""Adaptive Keyframe Sampling: the rule, and the original's results where it has any."""

import heapq
import math
import statistics

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError, SelectionError
from spark_keyframes.selection import aks


def original(scores, max_num_frames, t1, t2, all_depth):
    """The published rule, slow and plain: split level by level, then int(k / 2**depth) of each."""
    low, high = min(scores), max(scores)
    normal = [(s - low) / (high - low) if high > low else 0.0 for s in scores]
    final, level = [], [list(range(len(scores)))]
    for depth in range(all_depth + 1):
        following = []
        for segment in level:
            values = [normal[i] for i in segment]
            top = heapq.nlargest(max_num_frames, values)
            clear = statistics.fmean(top) - statistics.fmean(values) > t1
            if (clear and statistics.pstdev(values) > t2) or depth == all_depth:
                final.append((depth, segment))
            else:
                half = len(segment) // 2
                following += [segment[:half], segment[half:]]
        level = following
    chosen = []
    for depth, segment in final:
        chosen += heapq.nlargest(
            int(max_num_frames / 2**depth), segment, key=lambda i: (normal[i], -i)
        )
    return sorted(chosen)


# Hundredths, so that ties are frequent and no rounding decides.
hundredths = st.integers(-100, 100).map(lambda n: n / 100)
curves = st.lists(hundredths, min_size=1, max_size=300)
thresholds = st.sampled_from([0.055, 0.123, 0.31, 0.8])


@given(
    scores=st.lists(hundredths, min_size=9, max_size=300),
    per_slice=st.integers(1, 3),
    all_depth=st.integers(0, 4),
    t1=thresholds,
    t2=st.sampled_from([-100, 0.05, 0.2]),
)
def test_equals_the_original_wherever_its_budgets_are_whole(scores, per_slice, all_depth, t1, t2):
    k = per_slice * 2**all_depth
    if len(scores) <= k:
        return
    chosen = aks(scores, max_num_frames=k, t1=t1, t2=t2, all_depth=all_depth)
    assert chosen == original(scores, k, t1, t2, all_depth)


def test_equals_the_original_at_its_defaults():
    scores = np.sin(np.arange(1000) * 0.37).round(3).tolist()
    assert aks(scores) == original(scores, 32, 0.8, -100, 5)


@given(scores=curves, k=st.integers(1, 70), all_depth=st.integers(0, 8), t1=thresholds)
@example(scores=[0.5], k=1, all_depth=5, t1=0.8)
@example(scores=[0.3] * 100, k=7, all_depth=5, t1=0.8)
def test_always_gives_exactly_min_k_n_frames_in_order(scores, k, all_depth, t1):
    chosen = aks(scores, max_num_frames=k, all_depth=all_depth, t1=t1)
    assert len(chosen) == min(k, len(scores))
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(len(scores)))
    assert all(type(index) is int for index in chosen)


@given(scores=curves, k=st.integers(1, 70), scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_scale_of_the_scores_does_not_matter(scores, k, scale):
    assert aks([s * scale for s in scores], max_num_frames=k) == aks(scores, max_num_frames=k)


@given(scores=st.lists(hundredths, min_size=1, max_size=300), k=st.integers(1, 70))
def test_the_best_frame_is_always_selected(scores, k):
    assert scores.index(max(scores)) in aks(scores, max_num_frames=k)


@given(scores=st.lists(hundredths, min_size=64, max_size=300), exponent=st.integers(0, 5))
def test_every_slice_gives_its_best_frame_where_nothing_is_a_clear_peak(scores, exponent):
    k = 2**exponent
    slices = [range(len(scores))]
    for _ in range(exponent):
        slices = [h for s in slices for h in (s[: len(s) // 2], s[len(s) // 2 :])]
    best = [max(s, key=lambda i: (scores[i], -i)) for s in slices]
    assert aks(scores, max_num_frames=k, t1=1.0) == best


def test_a_clear_peak_keeps_its_segment_whole():
    # The first half holds one burst of 4; split, it would give one frame of each eighth.
    scores = [0.0] * 10 + [1.0] * 4 + [0.0] * 18 + [0.4] * 32
    chosen = aks(scores, max_num_frames=8, t1=0.3, all_depth=3)
    assert chosen[:4] == [10, 11, 12, 13]
    assert aks(scores, max_num_frames=8, t1=0.8, all_depth=3)[:4] == [0, 10, 16, 24]


def test_the_odd_frame_goes_to_the_half_with_the_higher_best_score():
    assert aks([0.1, 0.2, 0.3, 0.9, 0.8, 0.7], max_num_frames=3) == [2, 3, 4]
    assert aks([0.9, 0.8, 0.7, 0.1, 0.2, 0.3], max_num_frames=3) == [0, 1, 5]


def test_the_odd_frame_goes_to_the_first_half_where_both_are_equal():
    assert aks([0.5] * 8, max_num_frames=3) == [0, 2, 4]


def test_constant_scores_spread():
    assert aks([0.25] * 64, max_num_frames=4) == [0, 16, 32, 48]


def test_no_more_candidates_than_wanted_gives_all():
    assert aks([0.3, 0.1, 0.2], max_num_frames=32) == [0, 1, 2]


def test_all_depth_0_takes_the_best_wherever_they_are():
    assert aks([5, 1, 4, 1, 3, 1], max_num_frames=3, all_depth=0) == [0, 2, 4]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_takes_any_float_array(dtype):
    assert aks(np.array([0.1, 0.5, 0.2, 0.9], dtype=dtype), max_num_frames=2) == [1, 3]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_an_error(bad):
    with pytest.raises(SelectionError, match="must be finite, got .* for candidate 1"):
        aks([0.1, bad, 0.2])


@pytest.mark.parametrize("empty", [[], [[0.1, 0.2]]])
def test_no_scores_are_an_error(empty):
    with pytest.raises(SelectionError, match="sequence of at least one number"):
        aks(empty)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_num_frames": 0}, "max_num_frames must be at least 1, got 0"),
        ({"max_num_frames": 1.5}, "max_num_frames must be a whole number, got 1.5"),
        ({"all_depth": -1}, "all_depth must be at least 0, got -1"),
        ({"t1": math.nan}, "t1 must be a number, got nan"),
    ],
)
def test_parameters_out_of_range_are_errors(parameters, message):
    with pytest.raises(ParameterError, match=message):
        aks([0.1, 0.2], **parameters)


@settings(max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=5000), st.integers(1, 100))
def test_any_finite_scores_work(scores, k):
    assert len(aks(scores, max_num_frames=k)) == min(k, len(scores))
