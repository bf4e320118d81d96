"""Which candidates are looked at, in videos whose scores are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.scan.curve import Curve
from spark_keyframes.scan.plan import Gop, ScanPlan, budget_of, why_not
from spark_keyframes.selection import AKS, Bin, Top, choose


def gops_of(count, size):
    """GOPs of `size` candidates, a second apart, whose keyframes are 0.4 s before the first."""
    starts = range(0, count, size)
    return [Gop(start - 0.4, range(start, min(start + size, count))) for start in starts]


def scanned(scores, gops, *, selector, places, budget):
    """Return the plan after all rounds, and how many frames were scored."""
    plan = ScanPlan(range(len(scores)), gops, selector=selector, places=[places], budget=budget)
    # A keyframe shows about what the candidate behind it does.
    plan.learn({}, {gop: [scores[gops[gop].candidates[0]]] for gop in plan.first})
    scored = len(plan.first)
    while found := plan.next():
        assert sorted(set(found)) == found
        assert not set(found) & set(plan.seen.tolist()), "a candidate is looked at once"
        plan.learn({index: [scores[index]] for index in found})
        scored += len(found)
    return plan, scored


def chosen(plan, scores, selector, places):
    seen = np.zeros(len(scores), bool)
    seen[plan.seen] = True
    return choose(selector, plan.expected()[0], places, looked_at=seen)


@pytest.mark.parametrize("selector", [AKS(), AKS(t1=0.1), Top(), Bin()], ids=repr)
def test_in_shots_that_begin_with_keyframes_the_best_are_found(selector):
    rng = np.random.default_rng(1)
    scores = np.repeat(rng.uniform(size=64), 10) + rng.normal(scale=1e-3, size=640)
    gops = gops_of(640, 10)
    plan, scored = scanned(scores, gops, selector=selector, places=8, budget=210)
    assert scored <= 210
    found, best = chosen(plan, scores, selector, 8), choose(selector, scores, 8)
    assert scores[found].mean() > scores[best].mean() - 5e-3
    assert {index // 10 for index in found} == {index // 10 for index in best}


def test_where_nothing_else_can_be_chosen_the_budget_is_not_used():
    scores = np.zeros(600)
    scores[300:310] = 1.0
    _, scored = scanned(scores, gops_of(600, 10), selector=Top(), places=8, budget=500)
    assert scored < 300


def test_whole_gops_are_looked_at():
    rng = np.random.default_rng(2)
    scores = rng.uniform(size=600)
    plan, scored = scanned(scores, gops_of(600, 10), selector=AKS(), places=8, budget=205)
    seen = np.bincount(plan.seen // 10, minlength=60)
    assert scored == 205
    assert set(seen) <= {0, 5, 10}, "60 keyframes, 14 GOPs of 10, and what is left of one"
    assert (seen == 5).sum() == 1


@pytest.mark.parametrize("places", [1, 8, 32, 1100, 1259])
def test_a_long_video_of_short_gops_is_looked_at_a_few_times(places):
    """Each look reads the file again, and a GOP of 2 s has two of 3,600 candidates."""
    scores = np.random.default_rng(3).uniform(size=3600)
    gops = gops_of(3600, 2)
    plan = ScanPlan(range(3600), gops, selector=AKS(), places=[places], budget=1260)
    plan.learn({}, {gop: [scores[2 * gop]] for gop in plan.first})
    looks = 0
    while found := plan.next():
        plan.learn({index: [scores[index]] for index in found})
        looks += 1
    assert 1 <= looks <= 17, "and one where the selector needs more after the last"


def test_short_gops_have_some_of_their_keyframes_scored():
    plan = ScanPlan(range(600), gops_of(600, 2), selector=Top(), places=[8], budget=200)
    assert len(plan.first) == 100
    assert set(np.diff(plan.first)) == {3}


@given(
    count=st.integers(1, 200),
    size=st.integers(1, 30),
    places=st.integers(1, 40),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 5),
    selector=st.sampled_from([AKS(), AKS(t1=0.1), Top(), Bin()]),
)
def test_the_budget_is_kept_and_as_many_are_seen_as_may_be_chosen(
    count, size, places, share, seed, selector
):
    scores = np.random.default_rng(seed).integers(5, size=count).astype(float)
    budget = budget_of(share, count, places)
    plan, scored = scanned(
        scores, gops_of(count, size), selector=selector, places=places, budget=budget
    )
    assert len(chosen(plan, scores, selector, places)) == min(places, count)
    # Keyframes that are no candidates may take the places of candidates that must be seen.
    assert scored <= max(budget, len(plan.first) + places)


@pytest.mark.parametrize("budget", [40, 60, 200])
def test_each_slice_has_a_candidate_that_was_looked_at(budget):
    """The best are together in a few GOPs, which would use the budget."""
    scores = np.zeros(300)
    scores[:150] = np.random.default_rng(5).uniform(1, 2, size=150)
    gops = gops_of(300, 10)
    plan, scored = scanned(scores, gops, selector=Bin(), places=32, budget=budget)
    assert len(chosen(plan, scores, Bin(), 32)) == 32
    assert scored <= max(budget, len(plan.first) + 32)


def test_several_texts_share_the_budget():
    first, second = np.zeros(300), np.zeros(300)
    first[50:60], second[250:260] = 1.0, 1.0
    gops = gops_of(300, 10)
    plan = ScanPlan(range(300), gops, selector=Top(), places=[4], budget=80, texts=2)
    of = lambda index: [first[index], second[index]]  # noqa: E731
    plan.learn({}, {gop: of(gops[gop].candidates[0]) for gop in plan.first})
    while found := plan.next():
        plan.learn({index: of(index) for index in found})
    assert {*range(50, 60), *range(250, 260)} <= set(plan.seen.tolist())


@pytest.mark.parametrize(
    ("share", "count", "least", "budget"),
    [
        (0.1, 30, 1, 3),
        (0.35, 100, 32, 35),
        (0.35, 101, 32, 36),
        (0.1, 100, 32, 32),
        (0.5, 8, 32, 8),
    ],
)
def test_budget(share, count, least, budget):
    assert budget_of(share, count, least) == budget


def test_why_all_are_looked_at():
    gops = gops_of(300, 10)
    for of, why in [
        ((gops, 300, 0.35, 32, 0), ""),
        ((gops, 300, 1.0, 32, 0), "scan_budget allows for all 300 candidates"),
        ((gops, 300, 0.9999, 32, 0), "scan_budget allows for all 300 candidates"),
        ((gops, 300, 0.35, 300, 0), "300 candidates have to be scored, and it has 300"),
        ((gops, 300, 0.35, 270, 29), ""),
        (
            (gops, 300, 0.35, 270, 30),
            "270 candidates and 30 keyframes that are none would be scored, and it has 300 "
            "candidates",
        ),
        ((gops[:11], 300, 0.35, 32, 0), "its candidates are in 11 GOPs, fewer than 12"),
        ((gops[:1], 300, 0.35, 32, 0), "its candidates are in 1 GOP, fewer than 12"),
        (([], 0, 0.35, 32, 0), "it has no candidate"),
    ]:
        assert why_not(of[0], of[1], share=of[2], least=of[3], guides=of[4]) == why


def test_a_curve_learns_which_estimate_is_right():
    times = np.arange(200.0)
    steps = np.repeat(np.random.default_rng(3).uniform(size=20), 10)
    slopes = np.interp(times, times[::10], steps[::10])
    for scores, name in ((steps, "steps"), (slopes, "slopes")):
        curve = Curve(times)
        curve.learn({i: scores[i] for i in range(0, 200, 10)}, {})
        before = np.abs(curve.expected() - scores)[100:].mean()
        curve.learn({i: scores[i] for i in range(100)}, {})
        error = np.abs(curve.expected() - scores)[100:]
        assert error.mean() < before / 2, name
        assert (curve.expected()[:100] == scores[:100]).all()


def test_hope_shrinks_as_estimates_prove_right():
    times, scores = np.arange(200.0), np.repeat(np.random.default_rng(4).uniform(size=20), 10)
    curve = Curve(times)
    curve.learn({i: scores[i] for i in range(0, 200, 10)}, {})
    hope = curve.optimistic()[150:] - curve.expected()[150:]
    curve.learn({i: scores[i] for i in range(150)}, {})
    later = curve.optimistic()[150:] - curve.expected()[150:]
    assert (later[1:9] < hope[1:9]).all()
    assert later[0] == hope[0] == 0, "a known score is not raised"


def test_equal_scores_are_no_problem():
    plan, _ = scanned(np.ones(300), gops_of(300, 10), selector=AKS(), places=8, budget=100)
    assert len(plan.seen) >= 8
