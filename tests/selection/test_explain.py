"""The trace of a choice: what it says is what was done, and a stranger can read it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import SelectorError
from spark_keyframes.selection import Choice, Part, Repeats, Selector, make_selector

tied = st.integers(-20, 20).map(lambda n: n / 20)


def choice(name="aks", k=4, min_score=None, *, min_gap=0.0, max_similarity=1.0, **aks):
    chooser = make_selector(name, **({"t1": 0.8, "t2": -100, "all_depth": 5} | aks))
    return Choice(chooser, k, min_score, repeats=Repeats(min_gap, max_similarity))


def traced(asked, scores, *, times=None, **more):
    times = [index / 2 for index in range(len(scores))] if times is None else times
    return asked.decide(scores, timestamps=times, **more).explain(scores, times)


@given(
    scores=st.lists(st.tuples(tied, tied), min_size=1, max_size=150),
    k=st.integers(1, 40),
    least=st.none() | tied,
    more=st.none() | st.integers(0, 30),
    t1=st.sampled_from([0.055, 0.123, 0.31, 0.8]),
    t2=st.sampled_from([-100, 0.11, 0.31]),
    all_depth=st.integers(0, 6),
)
def test_the_tree_of_aks_is_what_was_done(scores, k, least, more, t1, t2, all_depth):
    first, second = (list(values) for values in zip(*scores, strict=True))
    asked = choice(k=k, min_score=least, t1=t1, t2=t2, all_depth=all_depth)
    final, looked_at, given_second = first, range(len(first)), None
    if more is not None:
        asked = replace(asked, second_look=k + more)
        looked_at = asked.shortlist(first)
        given_second = {index: second[index] for index in looked_at}
        final = second
    trace = traced(asked, first, second=given_second)
    able = [i for i in looked_at if least is None or final[i] >= least]
    chosen = asked.indices(first, second=given_second)
    assert list(trace.keyframes) == list(trace.chosen) == chosen
    assert trace.eligible == len(able)
    if not able:
        assert trace.root is None
        return
    low, high = min(first), max(first)
    normal = np.array([(s - low) / (high - low) if high > low else 0.0 for s in first])
    leaves = list(trace.root.leaves)
    assert sorted(i for leaf in leaves for i in leaf.frames) == chosen
    for leaf in leaves:
        inside = sorted(set(able) & set(range(leaf.start, leaf.stop)), key=lambda i: (-final[i], i))
        assert list(leaf.frames) == sorted(inside[: leaf.places])
        assert len(leaf.frames) == leaf.places
    assert (trace.root.start, trace.root.stop) == (0, len(first))
    check_part(trace.root, normal, set(able), asked, depth=0)


def check_part(part, normal, able, asked, depth):
    inside = normal[part.start : part.stop]
    assert part.eligible == len(able & set(range(part.start, part.stop)))
    assert part.times == (part.start / 2, (part.stop - 1) / 2)
    assert part.mean == pytest.approx(inside.mean())
    assert part.top == pytest.approx(np.mean(sorted(inside)[-asked.k :]))
    assert part.deviation == pytest.approx(inside.std())
    aks = asked.selector
    peak = part.top - part.mean > aks.t1 and part.deviation > aks.t2
    if part.parts:
        left, right = part.parts
        assert (left.start, left.stop, right.stop) == (part.start, right.start, part.stop)
        assert 0 <= left.stop - left.start <= right.stop - right.start
        assert left.places + right.places == part.places
        assert depth < aks.all_depth
        assert not peak
        assert part.why.startswith("halved, as top − mean = ")
        assert ("deviation" in part.why) == (part.top - part.mean > aks.t1)
        for half in part.parts:
            check_part(half, normal, able, asked, depth + 1)
    elif part.eligible == part.places:
        assert part.why == ("all that may be chosen" if part.places else "none may be chosen")
    elif depth == aks.all_depth:
        assert part.why == "not halved, as all_depth is reached"
    elif part.places == 1:
        assert part.why == "not halved, as it gives one frame"
    else:
        assert peak
        assert part.why.startswith("not halved, as top − mean = ")


def test_a_tree_as_text():
    # A burst of 4 in the first half, and nothing in the second.
    scores = [0.0] * 10 + [1.0] * 4 + [0.0] * 18 + [0.4] * 30 + [0.5, 0.4]
    assert str(traced(choice(k=8, t1=0.3), scores)).splitlines() == [
        "AKS(t1=0.3, t2=-100, all_depth=5) chose 8 of 64 candidates.",
        "top is the mean of a part's best 8 scores, and mean that of all its scores.",
        "Both are scaled: the video's lowest (0.000) is 0, its highest (1.000) is 1.",
        "",
        "0:00.0 – 0:31.5: 8 frames of 64 candidates, top 0.713, mean 0.264: not halved, as "
        "top − mean = 0.448 > t1=0.3",
        "  → 0:05.0 (1.000), 0:05.5 (1.000), 0:06.0 (1.000), 0:06.5 (1.000), 0:16.0 (0.400), "
        "0:16.5 (0.400),",
        "    0:17.0 (0.400), 0:31.0 (0.500)",
    ]
    assert str(traced(choice(k=3), scores, times=range(3590, 3654))).splitlines()[4:] == [
        "59:50.0 – 1:00:53.0: 3 frames of 64 candidates, top 1.000, mean 0.264: halved, as "
        "top − mean = 0.736 ≤ t1=0.8; odd frame to the half with the best score",
        "  59:50.0 – 1:00:21.0: 2 frames of 32 candidates, top 1.000, mean 0.125: not halved, as "
        "top − mean = 0.875 > t1=0.8",
        "    → 1:00:00.0 (1.000), 1:00:01.0 (1.000)",
        "  1:00:22.0 – 1:00:53.0: 1 frame of 32 candidates, top 0.433, mean 0.403: not halved, as "
        "it gives one frame",
        "    → 1:00:52.0 (0.500)",
    ]


@pytest.mark.parametrize(
    ("aks", "least", "why"),
    [
        ({"t1": 0.3, "t2": 0.1}, None, "not halved, as top − mean = 0.680 > t1=0.3, and "),
        ({"t1": 0.3, "t2": 0.9}, None, "halved, as top − mean = 0.680 > t1=0.3, but deviation = "),
        ({"all_depth": 0}, None, "not halved, as all_depth is reached"),
        ({}, 0.7, "halved, as top − mean = 0.680 ≤ t1=0.8; what one half cannot give, the other"),
        ({}, 0.9, "all that may be chosen"),
    ],
)
def test_why_a_segment_was_halved_or_not(aks, least, why):
    scores = [0.0, 0.8, 0.9, 1.0, *[0.0] * 6]
    assert traced(choice(k=2, min_score=least, **aks), scores).root.why.startswith(why)


OF_EACH = {
    "top": "the best scores, wherever they are",
    "uniform": "the middle of each of as many equal slices of the video, whatever the scores",
    "bin": "the best score of each of as many equal slices of the video",
    "gift": "nine at a time, by score times difference from frames with a better score",
    "logdet": "one at a time, by score plus what the chosen ones do not show",
    "summary": "one at a time, those that the others are most like, whatever the scores",
}


@pytest.mark.parametrize("name", OF_EACH)
def test_other_selectors_say_what_they_did_in_a_line(name):
    asked = choice(name, 2)
    scores = [0.1, 0.9, 0.2, 0.8]
    trace = traced(asked, scores, embeddings=np.eye(4, dtype=np.float32))
    line, frames = str(trace).splitlines()
    assert line == f"{asked.selector} chose 2 of 4 candidates: {OF_EACH[name]}."
    chosen = asked.indices(scores, embeddings=np.eye(4, dtype=np.float32), timestamps=range(4))
    shown = ", ".join(f"0:0{index / 2:.1f} ({scores[index]:.3f})" for index in chosen)
    assert frames == f"Keyframes: {shown}"


class Ends(Selector):
    """A user's own, which says nothing of how it chooses."""

    def select(self, scores, k):
        return [0, len(scores) - 1]


class Halves(Ends):
    def explain(self, scores, k):
        middle = len(scores) // 2
        halves = (Part(0, middle, 1, "the first"), Part(middle, len(scores), 1, "the last"))
        return Part(0, len(scores), 2, "both ends", parts=halves)


def test_a_selector_of_ones_own_is_named_with_how_many_it_chose():
    trace = traced(Choice(Ends(), 3), [0.5, 0.1, 0.2])
    assert str(trace).splitlines() == [
        "Ends() chose 2 of 3 candidates. 3 were asked for.",
        "Keyframes: 0:00.0 (0.500), 0:01.0 (0.200)",
    ]


def test_a_selector_of_ones_own_may_say_how_it_divides_the_video():
    # It gets only the four that reach the least score, and counts its parts among these.
    scores = [0.5, 0.1, 0.6, 0.1, 0.7, 0.8]
    assert str(traced(Choice(Halves(), 2, 0.5), scores)).splitlines() == [
        "Halves() chose 2 of 6 candidates.",
        "min_score: 4 of 6 are eligible: 0.5 or more.",
        "",
        "0:00.0 – 0:02.5: 2 frames of 6 candidates (4 eligible): both ends",
        "  0:00.0 – 0:01.0: 1 frame of 3 candidates (2 eligible): the first",
        "    → 0:00.0 (0.500)",
        "  0:02.0 – 0:02.5: 1 frame of 2 candidates (2 eligible): the last",
        "    → 0:02.5 (0.800)",
    ]


@pytest.mark.parametrize(
    ("explained", "message"),
    [
        (None, "explain of Wrong failed: TypeError: it returned None; return a Part"),
        (Part(0, 4, 1), "a part from 0 to 4 is none of 3 candidates"),
        (Part(0, 3, 1, parts=(Part(2, 2, 1),)), "a part from 2 to 2 is none of 3 candidates"),
    ],
)
def test_a_wrong_explanation_names_its_class(explained, message):
    class Wrong(Ends):
        def explain(self, scores, k):
            return explained

    with pytest.raises(SelectorError, match=message):
        traced(Choice(Wrong(), 2), [0.5, 0.1, 0.2])


def test_what_a_least_score_left_out_is_said():
    scores = [0.1, 0.9, 0.2, 0.8]
    assert str(traced(choice("top", 3, 0.5), scores)).splitlines() == [
        "Top() chose 2 of 4 candidates: the best scores, wherever they are. 3 were asked for.",
        "min_score: 2 of 4 are eligible: 0.5 or more.",
        "Keyframes: 0:00.5 (0.900), 0:01.5 (0.800)",
    ]
    assert str(traced(choice(k=3, min_score=1), scores)).splitlines() == [
        "AKS(t1=0.8, t2=-100, all_depth=5) chose 0 of 4 candidates. 3 were asked for.",
        "min_score: 0 of 4 are eligible: 1 or more.",
    ]


def test_frames_that_gave_way_are_said_with_the_reason():
    scores = [0.9, 0.8, 0.1, 0.7, 0.6]
    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.8, 0, 0.6], [0.6, 0, -0.8]], np.float32)
    asked = choice("top", 3, min_gap=0.7, max_similarity=0.75)
    trace = traced(asked, scores, embeddings=rows)
    assert str(trace).splitlines()[1:] == [
        "",
        "0:00.5 gave way to 0:02.0: it is 0.50 s from 0:00.0, and min_gap is 0.7.",
        "0:01.5 gave way to 0:01.0: its cosine with 0:00.0 is 0.800, and max_similarity is 0.75.",
        "Keyframes: 0:00.0 (0.900), 0:01.0 (0.100), 0:02.0 (0.600)",
    ]
    assert str(traced(replace(asked, k=5), scores, embeddings=rows)).splitlines()[0] == (
        "Top() chose 5 of 5 candidates: the best scores, wherever they are. 5 were asked for."
    )
    assert "gave way to nothing that may be chosen: " in str(
        traced(replace(asked, k=5), scores, embeddings=rows)
    )


def test_a_frame_that_is_too_similar_names_the_keyframe_that_it_is_most_like():
    rows = np.array([[1, 0, 0], [0, 1, 0], [0.1, 0.8, 0.59], [0, 0, 1]], np.float32)
    trace = traced(choice("top", 3, max_similarity=0.75), [0.9, 0.8, 0.7, 0.1], embeddings=rows)
    assert str(trace).splitlines()[2] == (
        "0:01.0 gave way to 0:01.5: its cosine with 0:00.5 is 0.800, and max_similarity is 0.75."
    )


@given(
    scores=st.lists(tied, min_size=1, max_size=60),
    k=st.integers(1, 20),
    gap=st.integers(1, 12).map(lambda n: n / 4),
    least=st.none() | tied,
)
def test_what_gave_way_is_the_difference_between_both_choices(scores, k, gap, least):
    asked = choice(k=k, min_score=least, min_gap=gap)
    trace = traced(asked, scores)
    alone = replace(asked, repeats=Repeats())
    assert list(trace.chosen) == alone.indices(scores)
    out = [each.index for each in trace.replacements]
    instead = [each.by for each in trace.replacements if each.by is not None]
    assert sorted({*trace.chosen} - {*out} | {*instead}) == list(trace.keyframes)
    assert all(before > after for before, after in pairwise([(scores[i], -i) for i in out]))
    for each in trace.replacements:
        assert each.of in trace.keyframes
        assert abs(each.index - each.of) / 2 < gap
        assert each.by is not None or all(
            any(abs(i - j) / 2 < gap for j in trace.keyframes)
            for i, score in enumerate(scores)
            if least is None or score >= least
        )


def test_a_second_look_is_said_and_the_tree_is_that_of_the_first_model():
    asked = replace(choice(k=2, min_score=0.5), second_look=3)
    first = [0.1, 0.9, 0.2, 0.3, 0.8, 0.1]
    trace = traced(asked, first, second={1: 0.6, 3: 0.2, 4: 0.7})
    assert str(trace).splitlines() == [
        "AKS(t1=0.8, t2=-100, all_depth=5) chose 2 of 6 candidates.",
        "rerank: only the 3 that the second model looked at are eligible.",
        "min_score: 2 of 3 are eligible: 0.5 or more.",
        "top is the mean of a part's best 2 scores, and mean that of all its scores, by the first "
        "model.",
        "Both are scaled: the video's lowest (0.100) is 0, its highest (0.900) is 1.",
        "",
        "0:00.0 – 0:02.5: 2 frames of 6 candidates (2 eligible), top 0.938, mean 0.375: all that "
        "may be chosen",
        "  → 0:00.5 (0.600), 0:02.0 (0.700)",
    ]


def test_without_candidates_there_is_nothing_to_divide():
    trace = traced(choice(), [])
    assert str(trace) == "AKS(t1=0.8, t2=-100, all_depth=5) chose 0 of 0 candidates."
    assert trace.root is None
    assert trace.parts == []


def test_a_frame_that_a_selector_must_not_choose_gives_way():
    class Stubborn(Selector):
        needs_eligible = True

        def select(self, scores, k, *, eligible):
            return [0]

        def segments(self, scores, k, *, eligible):
            return super().segments(scores, k)

        def explain(self, scores, k, *, eligible):
            return super().explain(scores, k)

    asked = Choice(Stubborn(), 1, 0.5, repeats=Repeats(min_gap=1))
    assert "0:00.0 gave way to 0:01.0: it may not be chosen." in str(traced(asked, [0.1, 0.6, 0.9]))
