"""min_score: which candidates can be selected, for every selector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.selection import Choice, Selector, make_selector

scores_with_ties = st.lists(st.integers(-20, 20).map(lambda n: n / 20), min_size=1, max_size=150)
least_scores = st.integers(-22, 22).map(lambda n: n / 20)
NAMES = ["aks", "top", "uniform", "bin"]


def chooser(name, k, min_score, **aks):
    given = {"t1": 0.8, "t2": -100, "all_depth": 5} | aks
    return Choice(make_selector(name, **given), k, min_score)


class Kept(Selector):
    """A selector of a user's own that notes what it is given."""

    needs_timestamps = True
    needs_embeddings = True

    def select(self, scores, k, *, embeddings, timestamps):
        self.seen = scores.tolist(), embeddings.tolist(), timestamps.tolist()
        return [len(scores) - 1]


@pytest.mark.parametrize("name", NAMES)
@given(scores=scores_with_ties, k=st.integers(1, 40), least=least_scores)
def test_nothing_below_it_is_selected(name, scores, k, least):
    chosen = chooser(name, k, least).indices(scores)
    eligible = [index for index, score in enumerate(scores) if score >= least]
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(eligible)
    if name in ("aks", "top", "uniform"):
        assert len(chosen) == min(k, len(eligible)), "a place that one half lacks is the other's"
    if len(eligible) == len(scores):
        assert chosen == chooser(name, k, None).indices(scores)


def slow_aks(scores, k, t1, all_depth, least):
    """AKS with a least score, by the rule: segments of all, capacities of those that reach it."""
    low, high = min(scores), max(scores)
    normal = [(score - low) / (high - low) if high > low else 0.0 for score in scores]

    def reach(segment):
        return [i for i in segment if scores[i] >= least]

    def take(segment, budget, depth):
        able = sorted(reach(segment), key=lambda i: (-normal[i], i))
        if len(able) <= budget or depth == all_depth or budget == 1:
            return able[:budget]
        values = sorted((normal[i] for i in segment), reverse=True)
        mean = sum(values) / len(values)
        if sum(values[:k]) / len(values[:k]) - mean > t1:
            return able[:budget]
        middle = len(segment) // 2
        left, right = segment[:middle], segment[middle:]
        best_left, best_right = (
            max((normal[i] for i in reach(half)), default=-1.0) for half in (left, right)
        )
        of_left = budget // 2 + (budget % 2 if best_left >= best_right else 0)
        of_left = max(of_left, budget - len(reach(right)))
        of_left = min(of_left, len(reach(left)))
        return take(left, of_left, depth + 1) + take(right, budget - of_left, depth + 1)

    return sorted(take(list(range(len(scores))), k, 0))


@given(
    scores=scores_with_ties,
    k=st.integers(1, 40),
    least=least_scores,
    t1=st.sampled_from([0.055, 0.123, 0.31]),
    all_depth=st.integers(0, 6),
)
def test_aks_keeps_its_segments_and_normalisation(scores, k, least, t1, all_depth):
    choice = chooser("aks", k, least, t1=t1, all_depth=all_depth)
    assert choice.indices(scores) == slow_aks(scores, k, t1, all_depth, least)


def test_a_selector_of_one_s_own_gets_only_what_reaches_it():
    selector = Kept()
    embeddings = [np.array([i, 1], np.float32) for i in range(4)]
    times = [0.0, 0.5, 1.0, 1.5]
    choice = Choice(selector, 2, 0.3)
    chosen = choice.indices([0.2, 0.5, 0.1, 0.3], embeddings=embeddings, timestamps=times)
    assert selector.seen == ([0.5, 0.3], [[1, 1], [3, 1]], [0.5, 1.5])
    assert chosen == [3]
    selector.seen = None
    assert choice.indices([0.2], embeddings=embeddings[:1], timestamps=[0.0]) == []
    assert selector.seen is None, "there is nothing to select"


def test_scores_as_close_to_it_as_the_tolerance_are_contested():
    scores = [0.1, 0.2999, 0.3001, 0.9]
    assert chooser("top", 4, 0.3).contested(scores, 0.001) == [1, 2]
    assert chooser("top", 4, 0.3).contested(scores, 0.0) == []
    assert chooser("top", 4, None).contested(scores, 0.001) == []
