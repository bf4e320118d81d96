"""A second look: which candidates a second model scores, and which of these are selected."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import SelectorError
from spark_keyframes.selection import Bracket, Choice, Selector, Survivors, make_selector
from spark_keyframes.selection.repeats import Repeats
from spark_keyframes.selection.second_look import shortlist, widened

NAMES = ["aks", "top", "bin"]
tied = st.integers(-20, 20).map(lambda n: n / 20)
pairs = st.lists(st.tuples(tied, tied), min_size=1, max_size=120)
"""of each candidate: the score of the first model, and that of the second"""


def chooser(name, k, size, min_score=None, t1=0.8, all_depth=5):
    selector = make_selector(name, t1=t1, t2=-100, all_depth=all_depth)
    return Choice(selector, k, min_score, second_look=size)


def ordered(indices, scores):
    return sorted(indices, key=lambda i: (-scores[i], i))


def slow_segments(name, scores, k, t1, all_depth):
    """The segments of each selector by its rule, as lists of indices, with their places."""
    everything = list(range(len(scores)))
    if name == "top":
        return [(everything, k)]
    if name == "bin":
        count = min(k, len(scores))
        cuts = [number * len(scores) // count for number in range(count + 1)]
        return [(everything[a:b], 1) for a, b in pairwise(cuts)]
    low, high = min(scores), max(scores)
    normal = [(score - low) / (high - low) if high > low else 0.0 for score in scores]

    def split(segment, places, depth):
        if len(segment) <= places or depth == all_depth or places == 1:
            return [(segment, min(places, len(segment)))]
        values = sorted((normal[i] for i in segment), reverse=True)
        if sum(values[:k]) / len(values[:k]) - sum(values) / len(values) > t1:
            return [(segment, places)]
        middle = len(segment) // 2
        left, right = segment[:middle], segment[middle:]
        first = places // 2
        if places % 2 and max(normal[i] for i in left) >= max(normal[i] for i in right):
            first += 1
        first = min(max(first, places - len(right)), len(left))
        return split(left, first, depth + 1) + split(right, places - first, depth + 1)

    return split(everything, k, 0)


def slow_shortlist(segments, scores, k, size):
    """Each segment's best, by its share; then the best that are left."""
    taken, before = set(), 0
    for segment, places in segments:
        share = (before + places) * size // k - before * size // k
        before += places
        taken |= set(ordered(segment, scores)[:share])
    left = [i for i in ordered(range(len(scores)), scores) if i not in taken]
    return sorted(taken | set(left[: max(0, size - len(taken))]))


@pytest.mark.parametrize("name", NAMES)
@given(
    scores=pairs,
    k=st.integers(1, 20),
    more=st.integers(0, 60),
    t1=st.sampled_from([0.1, 0.3, 0.8]),
    all_depth=st.integers(0, 6),
)
def test_selects_as_a_slow_implementation_does(name, scores, k, more, t1, all_depth):
    first, second = (list(values) for values in zip(*scores, strict=True))
    choice = chooser(name, k, k + more, t1=t1, all_depth=all_depth)
    segments = slow_segments(name, first, k, t1, all_depth)
    looked_at = choice.shortlist(first)
    assert looked_at == slow_shortlist(segments, first, k, k + more)
    assert len(looked_at) == min(k + more, len(first))
    expected = [
        index
        for segment, places in segments
        for index in ordered(set(segment) & set(looked_at), second)[:places]
    ]
    chosen = choice.indices(first, second={index: second[index] for index in looked_at})
    assert chosen == sorted(expected)
    assert len(chosen) == min(k, len(first))


@pytest.mark.parametrize("name", NAMES)
@given(scores=pairs, k=st.integers(1, 20), more=st.integers(0, 60), least=tied)
def test_a_least_score_is_one_of_the_second_model(name, scores, k, more, least):
    first, second = (list(values) for values in zip(*scores, strict=True))
    choice = chooser(name, k, k + more, least)
    looked_at = choice.shortlist(first)
    assert looked_at == chooser(name, k, k + more).shortlist(first)
    chosen = choice.indices(first, second={index: second[index] for index in looked_at})
    able = [index for index in looked_at if second[index] >= least]
    assert set(chosen) <= set(able)
    if name != "bin":  # which gives no frame for a slice in which none reaches it
        assert len(chosen) == min(k, len(able))


@pytest.mark.parametrize("name", NAMES)
@given(
    scores=st.lists(tied, min_size=1, max_size=250),
    k=st.integers(1, 20),
    more=st.integers(0, 60),
    all_depth=st.integers(0, 6),
)
def test_what_is_looked_at_again_survives_until_then(name, scores, k, more, all_depth):
    choice = chooser(name, k, k + more, all_depth=all_depth)
    survivors = choice.survivors(len(scores), 0.0)
    for index, score in enumerate(scores):
        survivors.add(index, score)
    assert all(index in survivors for index in choice.shortlist(scores))
    # A share is rounded up in each bracket of a depth.
    assert len(survivors) <= 2 * (k + more) * (all_depth + 2)


def test_the_spread_of_aks_survives_where_all_the_best_are_in_one_place():
    scores = np.linspace(0, 0.1, 800)
    scores[700:] += 0.9
    looked_at = chooser("aks", 8, 32, t1=1).shortlist(scores)
    assert [index // 100 for index in looked_at] == [part for part in range(8) for _ in range(4)]


def test_candidates_whose_place_on_the_list_is_close_are_contested():
    choice = chooser("top", 1, 2)
    assert choice.contested([0.5, 0.9, 0.5001, 0.1], 0.001) == [0, 2]
    assert choice.contested([0.5, 0.9, 0.6, 0.1], 0.001) == []


@dataclass
class Halves(Selector):
    """A selector of a user's own, without segments."""

    places: int | None = None

    def select(self, scores, k):
        self.seen = scores.tolist()
        return [0, len(scores) - 1]

    def segments(self, scores, k):
        return super().segments(scores, k) if self.places is None else [(0, 2, self.places)]


def test_a_selector_of_ones_own_gets_those_that_were_looked_at():
    selector = Halves()
    choice = Choice(selector, 2, second_look=3)
    first = [0.1, 0.9, 0.8, 0.2, 0.7]
    assert choice.shortlist(first) == [1, 2, 4]
    assert choice.indices(first, second={1: 5.0, 2: 7.0, 4: 6.0}) == [1, 4]
    assert selector.seen == [5.0, 7.0, 6.0]
    found = choice.survivors(5, 0.0)
    assert isinstance(found, Survivors), "only the best are held, although it has no brackets"
    dropped = [out for index, score in enumerate(first) for out in found.add(index, score)]
    assert sorted(dropped) == [0, 3]


@pytest.mark.parametrize(
    ("places", "words"), [(0, "is no bracket of 4 candidates"), (3, "give 3 frames, but at most 2")]
)
def test_wrong_segments_name_the_selector(places, words):
    with pytest.raises(SelectorError, match=f"segments of Halves failed.*{words}"):
        shortlist(Halves(places), [1, 2, 3, 4], 2, 4)


def test_no_candidates_are_no_shortlist():
    assert chooser("aks", 2, 4).shortlist([]) == []


def test_brackets_grow_by_the_share():
    assert widened([Bracket(0, 9, 3), Bracket(0, 4, 2)], 9, 3, 7) == [
        (0, 9, 7),
        (0, 9, 7),
        (0, 4, 5),
    ]


@given(scores=pairs, k=st.integers(1, 20), more=st.integers(0, 60), gap=st.integers(1, 6))
def test_repeats_give_way_to_others_that_were_looked_at(scores, k, more, gap):
    first, second = (list(values) for values in zip(*scores, strict=True))
    choice = replace(chooser("aks", k, k + more), repeats=Repeats(min_gap=gap))
    looked_at = choice.shortlist(first)
    chosen = choice.indices(
        first,
        second={index: second[index] for index in looked_at},
        timestamps=[float(index) for index in range(len(first))],
    )
    assert set(chosen) <= set(looked_at)
    assert all(after - before >= gap for before, after in pairwise(chosen))
    left = [i for i in looked_at if all(abs(i - other) >= gap for other in chosen)]
    assert len(chosen) == k or not left, "fewer only where nothing else is left"
