"""What holds for every selector, and what each further one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError, SelectionError, SelectorError
from spark_keyframes.selection import (
    Selector,
    Survivors,
    checked_brackets,
    choose,
    contested,
    make_selector,
)

NAMES = ["aks", "top", "uniform", "bin"]
scores_with_ties = st.lists(st.integers(-20, 20).map(lambda n: n / 20), min_size=1, max_size=250)


def selector(name, t1=0.8, all_depth=5):
    return make_selector(name, t1=t1, t2=-100, all_depth=all_depth)


def contested_in(chooser, scores, k, tolerance):
    return contested(
        lambda values: choose(chooser, values, k), np.array(scores, dtype=float), tolerance
    )


@pytest.mark.parametrize("name", NAMES)
@given(scores=scores_with_ties, k=st.integers(1, 40))
def test_gives_min_k_n_frames_in_order(name, scores, k):
    chosen = selector(name).select(scores, k)
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
    chooser = selector(name, t1, all_depth)
    survivors = Survivors(chooser.brackets(len(scores), k), len(scores))
    held = set()
    for index, score in enumerate(scores):
        held.add(index)
        held -= set(survivors.add(index, score))
        assert len(held) == len(survivors) <= k * (all_depth + 1)
    assert set(chooser.select(scores, k)) <= held


@pytest.mark.parametrize("name", NAMES)
def test_no_scores_are_an_error(name):
    with pytest.raises(SelectionError, match="at least one number"):
        selector(name).select([], 4)


def test_top_takes_the_best_wherever_they_are():
    assert selector("top").select([0.1, 0.9, 0.8, 0.2], 2) == [1, 2]


def test_bin_takes_the_best_of_each_equal_slice():
    assert selector("bin").select([0.1, 0.9, 0.8, 0.2, 0.5, 0.5], 3) == [1, 2, 4]


def test_uniform_takes_the_middle_of_each_equal_slice():
    assert selector("uniform").select([9, 0, 9, 0, 0, 9], 2) == [1, 4]


def test_unknown_selector_names_the_known_ones():
    with pytest.raises(
        ParameterError, match="one of aks, top, uniform, bin, gift, logdet, summary, got .best."
    ):
        selector("best")


def test_selectors_are_values():
    assert selector("aks", 0.4) == selector("aks", 0.4) != selector("aks", 0.5)


@pytest.mark.parametrize("name", NAMES)
@given(
    scores=scores_with_ties,
    k=st.sampled_from([1, 2, 4, 8, 16]),
    tolerance=st.sampled_from([0.03, 0.08]),
)
def test_contested_candidates_survive_where_scores_may_be_off(name, scores, k, tolerance):
    chooser = selector(name, t1=1.0)
    survivors = Survivors(chooser.brackets(len(scores), k), len(scores), margin=2 * tolerance)
    for index, score in enumerate(scores):
        survivors.add(index, score)
        assert len(survivors) <= 2 * k * 6
    needed = contested_in(chooser, scores, k, tolerance) + chooser.select(scores, k)
    assert all(index in survivors for index in needed)


def test_contested_are_those_that_a_small_error_could_swap():
    scores = [0.50, 0.51, 0.1, 0.9, 0.2, 0.1]
    assert contested_in(selector("bin"), scores, 2, 0.01) == [0, 1]
    assert contested_in(selector("bin"), scores, 2, 0.001) == []
    assert contested_in(selector("uniform"), scores, 2, 0.01) == []


class Given(Selector):
    """Returns what it was made with."""

    def __init__(self, indices):
        self.indices = indices

    def select(self, scores, k):
        return self.indices


@pytest.mark.parametrize(
    ("given", "chosen"),
    [([2, 0, 2], [0, 2]), (np.array([1]), [1]), ((), []), (range(2), [0, 1]), ({3, 1}, [1, 3])],
)
def test_the_result_of_a_selector_of_one_s_own_is_tidied(given, chosen):
    assert choose(Given(given), [0.1, 0.2, 0.3, 0.4], 2) == chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 1, 2], "select of Given gave 3 frames, but at most 2 were asked for"),
        ([4], "select of Given gave index 4 for 4 candidates; indices go from 0 to 3"),
        ([-1], "gave index -1 for 4 candidates"),
        ([0.5], "select of Given failed: TypeError"),
        ([True, False, True, False], "select of Given gave booleans; return indices"),
        (None, "select of Given returned None; return the indices"),
    ],
)
def test_a_wrong_result_of_a_selector_names_its_class(given, message):
    with pytest.raises(SelectorError, match=message):
        choose(Given(given), [0.1, 0.2, 0.3, 0.4], 2)


def test_a_selector_gets_what_it_asks_for():
    class Curious(Selector):
        needs_embeddings = needs_timestamps = True

        def select(self, scores, k, *, embeddings, timestamps):
            assert scores.dtype == np.float64
            assert embeddings.shape == (3, 2)
            assert timestamps.tolist() == [0.0, 1.0, 2.0]
            return np.argsort(embeddings[:, 0])[:k]

    rows = np.array([[3, 0], [1, 0], [2, 0]], dtype=np.float32)
    assert choose(Curious(), [1, 2, 3], 2, embeddings=rows, timestamps=[0.0, 1.0, 2.0]) == [1, 2]


def test_a_selector_that_changes_its_scores_changes_no_result():
    class Greedy(Selector):
        def select(self, scores, k):
            scores[:] = 0
            return [0]

    scores = np.array([0.5, 0.7])
    choose(Greedy(), scores, 1)
    assert scores.tolist() == [0.5, 0.7]


def test_the_brackets_of_aks_halve_the_segments_and_the_places():
    aks = selector("aks", all_depth=2).brackets(10, 4)
    whole, halves = [(0, 10, 4)], [(0, 5, 2), (5, 10, 2)]
    assert list(aks) == [*whole, *halves, (0, 2, 1), (2, 5, 1), (5, 7, 1), (7, 10, 1)]


def test_the_brackets_of_aks_end_at_one_place_and_are_never_empty():
    brackets = list(selector("aks").brackets(3, 5))
    halves, quarters = [(0, 1, 3), (1, 3, 3)], [(0, 1, 2), (1, 2, 2), (2, 3, 2)]
    assert brackets == [(0, 3, 5), *halves, *quarters, (0, 1, 1), (1, 2, 1), (2, 3, 1)]
    assert {type(bracket.places) for bracket in brackets} == {int}


def test_the_brackets_of_uniform_hold_one_candidate_each():
    assert list(selector("uniform").brackets(6, 2)) == [(1, 2, 1), (4, 5, 1)]


def test_survivors_know_how_many_candidates_there_will_be():
    assert Survivors([], 7).count == 7


@pytest.mark.parametrize(
    "brackets", [[(0, 4, None)], [(0, 4, 0)], [(2, 2, 1)], [(0, 9, 1)], [3], 1, ["abc"]]
)
def test_wrong_brackets_name_their_class(brackets):
    class Wrong(Selector):
        def select(self, scores, k):
            return range(k)

        def brackets(self, count, k):
            return brackets

    with pytest.raises(SelectorError, match="brackets of Wrong failed"):
        checked_brackets(Wrong(), 4, 2)
