"""min_gap and max_similarity: which frames give way, and to which others."""

import math
import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError
from spark_keyframes.selection import Choice, Repeats, Selector, make_selector

NAMES = ["aks", "top", "uniform", "bin", "gift", "logdet", "summary"]
FPS = 10
MANY = int(os.environ.get("CHOICE_EXAMPLES", "1000"))


def choice(name, k, min_score=None, min_gap=0.0, max_similarity=1.0, **aks):
    chooser = make_selector(name, **({"t1": 0.8, "t2": -100, "all_depth": 5} | aks))
    return Choice(chooser, k, min_score, repeats=Repeats(min_gap, max_similarity))


def embeddings_of(kinds):
    """Orthogonal rows: frames of one kind are identical, others have a cosine of 0."""
    return np.eye(max(kinds, default=0) + 1, dtype=np.float32)[kinds]


@st.composite
def videos(draw):
    count = draw(st.integers(1, 40))
    of_each = {"min_size": count, "max_size": count}
    scores = draw(st.lists(st.integers(-9, 9).map(lambda n: n / 20), **of_each))
    kinds = draw(st.lists(st.integers(0, draw(st.integers(0, 30))), **of_each))
    return scores, kinds


def slowly(chosen, scores, eligible, segments, repeats):
    """The rule, frame by frame."""
    by_score = sorted(eligible, key=lambda i: (-scores[i], i))
    kept, without_place = [], []
    for i in sorted(chosen, key=lambda i: (-scores[i], i)):
        if any(repeats(i, other) for other in kept):
            without_place.append(i)
        else:
            kept.append(i)
    homeless = 0
    for i in without_place:
        own = next((s for s in segments if s[0] <= i < s[1]), (0, 0))
        free = [
            j
            for j in by_score
            if own[0] <= j < own[1] and j not in kept and not any(repeats(j, o) for o in kept)
        ]
        kept += free[:1]
        homeless += not free
    for _ in range(homeless):
        free = [j for j in by_score if j not in kept and not any(repeats(j, o) for o in kept)]
        kept += free[:1]
    return sorted(kept)


@pytest.mark.parametrize("count", [50, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_replaces_repeats_as_the_rule_says(name, count):
    @settings(max_examples=count)
    @given(
        video=videos(),
        k=st.integers(1, 12),
        least=st.sampled_from([None, 0.0, 0.2]),
        min_gap=st.sampled_from([0.0, 0.1, 0.2, 0.35, 5.0]),
        max_similarity=st.sampled_from([0.5, 1.0]),
        t1=st.sampled_from([0.1, 0.8]),
    )
    @example(video=([0.3] * 30, [0] * 30), k=4, least=None, min_gap=0.3, max_similarity=1.0, t1=0.8)
    def examples(video, **given):
        check_rule(name, video, **given)

    examples()


def check_rule(name, video, k, least, min_gap, max_similarity, t1):
    scores, kinds = video
    of_each = {
        "embeddings": embeddings_of(kinds),
        "timestamps": [n / FPS for n in range(len(scores))],
    }
    asked = choice(name, k, least, min_gap, max_similarity, t1=t1)
    found = asked.indices(scores, **of_each)

    def repeats(i, j):
        same = max_similarity < 1 and kinds[i] == kinds[j]
        return same or (abs(i - j) < min_gap * FPS and min_gap > 0)

    plain = choice(name, k, least, t1=t1).indices(scores, **of_each)
    eligible = [i for i, score in enumerate(scores) if least is None or score >= least]
    segments = segments_of(asked.selector, scores, k, eligible) if eligible else []
    assert found == slowly(plain, scores, eligible, segments, repeats)
    assert set(found) <= set(eligible)
    assert not any(repeats(i, j) for i in found for j in found if i < j)
    left = [i for i in eligible if not any(i == j or repeats(i, j) for j in found)]
    assert len(found) == len(plain) or not left, "fewer only where nothing else is left"
    if not asked.repeats.possible:
        assert found == plain


def segments_of(selector, scores, k, eligible):
    if selector.needs_eligible:
        mask = np.isin(np.arange(len(scores)), eligible)
        return [(s.start, s.stop) for s in selector.segments(scores, k, eligible=mask)]
    return [(0, len(scores))]


def test_the_higher_score_stays_and_the_next_best_of_its_segment_comes():
    # Two halves: frames 3 and 4 are close; 4 is better, so 3 gives way to 1, not to 7.
    scores = [0.1, 0.5, 0.2, 0.8, 0.9, 0.1, 0.2, 0.7]
    times = [float(n) for n in range(8)]
    assert choice("aks", 2).indices(scores, timestamps=times) == [3, 4]
    assert choice("aks", 2, min_gap=1.5).indices(scores, timestamps=times) == [1, 4]
    assert choice("top", 2, min_gap=1.5).indices(scores, timestamps=times) == [4, 7]


def test_the_next_best_comes_from_anywhere_where_its_segment_has_none():
    scores = [0.6, 0.5, 0.9, 0.8, 0.7, 0.3]
    kinds = [0, 0, 0, 1, 0, 2]
    given = {"embeddings": embeddings_of(kinds), "timestamps": range(6)}
    # The first half shows only kind 0. Of the four chosen frames, 0 repeats 2, and so does 4.
    assert choice("aks", 4).indices(scores, **given) == [0, 2, 3, 4]
    assert choice("aks", 4, max_similarity=0.9).indices(scores, **given) == [2, 3, 5]


def test_frames_exactly_min_gap_apart_do_not_repeat_each_other():
    times = [0.1, 0.3, 0.5]  # 0.3 - 0.1 is a little less than 0.2
    assert choice("top", 3, min_gap=0.2).indices([0.3, 0.2, 0.1], timestamps=times) == [0, 1, 2]
    assert choice("top", 3, min_gap=0.21).indices([0.3, 0.2, 0.1], timestamps=times) == [0, 2]


def test_frames_exactly_as_similar_as_allowed_do_not_repeat_each_other():
    rows = np.array([[1, 0], [0.6, 0.8]], np.float32)
    for limit, expected in ((0.6, [0, 1]), (0.59, [0])):
        found = choice("top", 2, max_similarity=limit).indices([0.3, 0.2], embeddings=rows)
        assert found == expected


class Few(Selector):
    """One frame of one's own choice, though more may be chosen."""

    def select(self, scores, k):
        return [3, 4]


def test_a_selector_that_chooses_few_gets_no_more():
    asked = Choice(Few(), 5, repeats=Repeats(min_gap=2.0))
    found = asked.indices([0.9, 0.1, 0.1, 0.5, 0.6, 0.1, 0.2], timestamps=range(7))
    assert found == [0, 4]


@pytest.mark.parametrize("name", ["gift", "logdet", "summary"])
def test_selectors_of_embeddings_keep_all_candidates(name):
    assert choice(name, 4).survivors(100, 0.0) is None


def test_frames_about_as_similar_as_allowed_are_contested():
    rows = np.array([[1, 0, 0], [0.9, math.sqrt(0.19), 0], [0, 0, 1], [0, 1, 0]], np.float32)
    given = {"embeddings": list(rows), "timestamps": range(4)}
    scores = [0.9, 0.8, 0.5, 0.1]
    for limit, expected in ((0.905, [0, 1]), (0.895, [0, 1]), (0.8, []), (1.0, [])):
        asked = choice("top", 2, max_similarity=limit)
        assert asked.contested(scores, 0.005, **given) == expected
        assert asked.contested(scores, 0.0, **given) == []


def test_candidates_that_a_second_model_has_not_seen_take_no_place():
    scores = [0.9, 0.8, 0.7, 0.1]
    asked = Choice(
        make_selector("top", t1=0.8, t2=-100, all_depth=5),
        2,
        second_look=2,
        repeats=Repeats(min_gap=1.5),
    )
    second = {0: 0.3, 1: 0.6}
    assert asked.indices(scores, timestamps=range(4), second=second) == [1]
    assert asked.indices(scores, timestamps=range(4), second=second | {3: 0.1}) == [1, 3]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_gap": -1}, "min_gap must be at least 0 and finite, got -1; use e.g. 2.0, in sec"),
        ({"min_gap": math.inf}, "min_gap must be at least 0 and finite, got inf"),
        ({"max_similarity": 1.1}, "max_similarity must be from 0 to 1, got 1.1; use e.g. 0.95"),
        ({"max_similarity": -0.1}, "max_similarity must be from 0 to 1, got -0.1"),
    ],
)
def test_values_out_of_range_are_errors(wrong, message):
    with pytest.raises(ParameterError, match=message):
        Repeats(**wrong)
