"""What holds for every selector, and what each further one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError, SelectionError
from spark_keyframes.selection import Survivors, contested, make_selector

NAMES = ["aks", "top", "uniform", "bin"]
scores_with_ties = st.lists(st.integers(-20, 20).map(lambda n: n / 20), min_size=1, max_size=250)


def selector(name, k, t1=0.8, all_depth=5):
    return make_selector(name, max_num_frames=k, t1=t1, t2=-100, all_depth=all_depth)


@pytest.mark.parametrize("name", NAMES)
@given(scores=scores_with_ties, k=st.integers(1, 40))
def test_gives_min_k_n_frames_in_order(name, scores, k):
    chosen = selector(name, k).select(scores)
    assert len(chosen) == min(k, len(scores))
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize("name", NAMES)
@given(
    scores=scores_with_ties,
    k=st.integers(1, 40),
    t1=st.sampled_from([0.1, 0.3, 0.8]),
    all_depth=st.integers(0, 7),
)
def test_what_is_selected_survives_until_the_end(name, scores, k, t1, all_depth):
    chooser = selector(name, k, t1, all_depth)
    survivors = Survivors(chooser, len(scores))
    held = set()
    for index, score in enumerate(scores):
        held.add(index)
        held -= set(survivors.add(index, score))
        assert len(held) == len(survivors) <= k * (all_depth + 1)
    assert set(chooser.select(scores)) <= held


@pytest.mark.parametrize("name", NAMES)
def test_no_scores_are_an_error(name):
    with pytest.raises(SelectionError, match="at least one number"):
        selector(name, 4).select([])


def test_top_takes_the_best_wherever_they_are():
    assert selector("top", 2).select([0.1, 0.9, 0.8, 0.2]) == [1, 2]


def test_bin_takes_the_best_of_each_equal_slice():
    assert selector("bin", 3).select([0.1, 0.9, 0.8, 0.2, 0.5, 0.5]) == [1, 2, 4]


def test_uniform_takes_the_middle_of_each_equal_slice():
    assert selector("uniform", 2).select([9, 0, 9, 0, 0, 9]) == [1, 4]


def test_unknown_selector_names_the_known_ones():
    with pytest.raises(ParameterError, match="one of aks, top, uniform, bin, got .best."):
        selector("best", 4)


def test_selectors_are_values():
    assert selector("aks", 4) == selector("aks", 4) != selector("aks", 5)


@pytest.mark.parametrize("name", NAMES)
@given(
    scores=scores_with_ties,
    k=st.sampled_from([1, 2, 4, 8, 16]),
    tolerance=st.sampled_from([0.03, 0.08]),
)
def test_contested_candidates_survive_where_scores_may_be_off(name, scores, k, tolerance):
    chooser = selector(name, k, t1=1.0)
    survivors = Survivors(chooser, len(scores), margin=2 * tolerance)
    for index, score in enumerate(scores):
        survivors.add(index, score)
        assert len(survivors) <= 2 * k * 6
    needed = contested(chooser, scores, tolerance) + chooser.select(scores)
    assert all(index in survivors for index in needed)


def test_contested_are_those_that_a_small_error_could_swap():
    scores = [0.50, 0.51, 0.1, 0.9, 0.2, 0.1]
    assert contested(selector("bin", 2), scores, 0.01) == [0, 1]
    assert contested(selector("bin", 2), scores, 0.001) == []
    assert contested(selector("uniform", 2), scores, 0.01) == []
