"""A selector that is given only the candidates that were looked at."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.selection import AKS, Bin, Choice, Repeats, Top
from spark_keyframes.selection.base import checked_segments, choose
from spark_keyframes.selection.seen import Seen

SELECTORS = [AKS(), AKS(t1=0.1), Top(), Bin()]


def some(selector, scores, seed=0, share=0.4):
    """Return `Seen` of a share of the candidates, and their scores."""
    rng = np.random.default_rng(seed)
    count = max(1, round(share * len(scores)))
    places = np.sort(rng.choice(len(scores), count, replace=False))
    return Seen(selector, places, np.full(len(scores), 0.5)), scores[places]


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=80).map(np.array),
    k=st.integers(1, 20),
    seed=st.integers(0, 9),
    selector=st.sampled_from(SELECTORS),
)
def test_it_chooses_as_among_all_of_which_only_these_are_eligible(scores, k, seed, selector):
    seen, own = some(selector, scores, seed)
    every = seen.expected.copy()
    every[seen.places] = own
    mask = np.zeros(len(scores), bool)
    mask[seen.places] = True
    assert seen.places[choose(seen, own, k)].tolist() == choose(selector, every, k, looked_at=mask)
    if not isinstance(selector, Bin):
        assert len(choose(seen, own, k)) == min(k, len(own))


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_of_all_candidates_it_chooses_as_the_selector_does(selector):
    scores = np.random.default_rng(5).uniform(size=100)
    seen = Seen(selector, np.arange(100), np.zeros(100))
    for k in (1, 7, 32):
        assert choose(seen, scores, k) == choose(selector, scores, k)
        assert checked_segments(seen, scores, k) == checked_segments(selector, scores, k)


def test_parts_are_those_of_the_whole_video():
    """All were looked at in the first half, and one in ten in the second: each gives 4 of 8."""
    places = np.array([*range(50), *range(50, 100, 10)])
    seen = Seen(AKS(all_depth=1), places, np.full(100, 0.5))
    scores = np.linspace(0, 1, 55)
    assert checked_segments(seen, scores, 8) == [(0, 50, 4), (50, 55, 4)]
    assert choose(seen, scores, 8) == [46, 47, 48, 49, 51, 52, 53, 54]


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@pytest.mark.parametrize("more", [{}, {"min_score": 0.6}, {"repeats": Repeats(min_gap=3)}])
def test_choices_can_be_explained(selector, more):
    scores = np.random.default_rng(6).uniform(size=90)
    seen, own = some(selector, scores)
    choice = Choice(seen, 8, **more)
    times = seen.places.astype(float).tolist()
    decision = choice.decide(own, timestamps=times)
    trace = decision.explain(own, times)
    assert trace.selector == repr(selector)
    assert trace.keyframes == decision.indices
    shown = [index for part in trace.parts for index in part.frames if not part.parts]
    assert sorted(shown) == list(decision.chosen)
    assert "36 candidates" in str(trace)


def test_a_second_look_gets_the_best_of_each_part():
    scores = np.random.default_rng(7).uniform(size=100)
    seen, own = some(Bin(), scores, share=0.6)
    choice = Choice(seen, 4, second_look=8)
    listed = choice.shortlist(own)
    assert len(listed) == 8
    parts = seen.places[listed] // 25
    assert [int((parts == part).sum()) for part in range(4)] == [2, 2, 2, 2]
    second = {index: 1 - own[index] for index in listed}
    found = choice.indices(own, second=second)
    assert set(found) <= set(listed)
    assert len(set(seen.places[found] // 25)) == 4


def test_what_is_contested_are_candidates_that_were_seen():
    scores = np.round(np.random.default_rng(8).uniform(size=200), 2)
    seen, own = some(Top(), scores)
    contested = Choice(seen, 10).contested(own.tolist(), 0.03)
    kth = np.sort(own)[-10]
    assert contested
    assert all(abs(own[index] - kth) <= 0.07 for index in contested)
    other = Choice(replace(seen, expected=np.ones(200)), 10)
    assert other.contested(own.tolist(), 0.03) == contested
