"""gift, logdet and summary: each against a slow implementation, and what holds for all of them."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError
from spark_keyframes.selection import Choice, bounds, gift, make_selector, products, summary
from tests.conftest import REPO

NAMES = ["gift", "logdet", "summary"]
MANY = int(os.environ.get("CHOICE_EXAMPLES", "1000"))


def selector(name, diversity=0.1):
    return make_selector(name, t1=0.8, t2=-100, all_depth=5, diversity=diversity)


@st.composite
def candidates(draw, most=24):
    """Scores with ties, and embeddings of which many are equal."""
    count = draw(st.integers(1, most))
    scores = draw(
        st.lists(st.integers(-9, 9).map(lambda n: n / 20), min_size=count, max_size=count)
    )
    kinds = draw(st.integers(1, 12))
    which = draw(st.lists(st.integers(0, kinds - 1), min_size=count, max_size=count))
    rows = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(kinds, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return scores, rows.astype(np.float32)[which]


def relevance(scores):
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 0.0 for score in scores]


def first_best(values):
    """The index with the highest value, up to rounding errors, and the earliest of them."""
    return max(values, key=lambda index: (round(values[index], 12), -index))


def slow_gift(scores, embeddings, k, eligible):
    r, rows = relevance(scores), embeddings.astype(float)
    distance = ((rows[:, None] - rows) ** 2).sum(axis=2)
    left, chosen = set(eligible), []

    while left and len(chosen) < k:
        products = {}
        largest = max(distance[a, b] for a in left for b in left)
        for i in left:
            better = [distance[i, j] for j in left if (r[j], -j) > (r[i], -i)]
            products[i] = r[i] * (min(better) if better else largest)
        for _ in range(min(9, k - len(chosen), len(left))):
            chosen.append(first_best(products))
            del products[chosen[-1]]
        left -= set(chosen)
    return sorted(chosen)


def slow_logdet(scores, embeddings, k, eligible, diversity, among):
    """Frames of `among` come first where gains differ by less than this matrix is exact."""
    r, rows, epsilon = relevance(scores), embeddings.astype(float), 1e-3
    chosen = []
    while len(chosen) < min(k, len(eligible)):
        gains, left = {}, sorted(set(eligible) - set(chosen))
        for i in left:
            new = 1 + epsilon
            if chosen:
                gram, g = rows[chosen] @ rows[chosen].T, rows[chosen] @ rows[i]
                np.fill_diagonal(gram, 1)  # float32 is off by 1e-7, which is not little beside ε
                new -= g @ np.linalg.solve(gram + epsilon * np.eye(len(chosen)), g)
            gains[i] = r[i] + diversity * math.log(max(new, epsilon))
        near = [i for i in left if gains[i] > max(gains.values()) - 1e-8]
        kinds = {}
        for i in near:  # of frames that are the same, the first
            kinds.setdefault((r[i], rows[i].tobytes()), i)
        firsts = sorted(kinds.values())
        chosen.append(next((i for i in firsts if i in among), firsts[0]))
    return sorted(chosen)


def slow_summary(embeddings, k, eligible):
    rows = embeddings.astype(float)[eligible]
    cosines, chosen = np.round(rows @ rows.T, 6), []
    while len(chosen) < min(k, len(eligible)):
        covered = cosines[chosen].max(axis=0, initial=-1)
        gains = {
            i: float(np.maximum(cosines[i], covered).mean() - covered.mean())
            for i in set(range(len(rows))) - set(chosen)
        }
        chosen.append(first_best(gains))
    return sorted(eligible[i] for i in chosen)


def slow(name, scores, embeddings, k, least, diversity=0.1, among=()):
    eligible = [i for i, score in enumerate(scores) if least is None or score >= least]
    if name == "gift":
        return slow_gift(scores, embeddings, k, eligible)
    if name == "logdet":
        return slow_logdet(scores, embeddings, k, eligible, diversity, among)
    return slow_summary(embeddings, k, eligible)


CLOSE = (
    [0, 0, 0, -1, -1, 0, 0, 0, 0, *[-1] * 8, 0, 0, 0, 0, -1, 0],
    np.array(
        [
            [0.19222263, -0.27157515, 0.28412634, 0.02032295, -0.7579954, 0.48332134],
            [-0.04189498, 0.2653005, 0.78623873, 0.11489892, -0.4599162, -0.29148665],
            [0.28183645, -0.39157104, -0.24346265, 0.27552927, -0.65814793, -0.44597223],
            [0.4681184, -0.67065537, 0.12134913, 0.17276129, -0.529568, 0.07792437],
        ],
        np.float32,
    )[[0] * 5 + [1] * 2 + [2] * 3 + [0] * 7 + [1] * 3 + [3, 0, 2]],
)
"""The last frame is decided by a gain of 1e-6."""


@pytest.mark.parametrize("count", [100, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_chooses_what_the_formula_does(name, count):
    @settings(max_examples=count)
    @given(
        given=candidates(),
        k=st.integers(1, 20),
        least=st.sampled_from([None, 0.0, 0.2]),
        diversity=st.sampled_from([0.0, 0.07, 0.4]),
    )
    @example(given=CLOSE, k=13, least=None, diversity=0.07)
    @example(given=([0.25] * 20, np.eye(20, dtype=np.float32)), k=4, least=None, diversity=0.07)
    @example(given=([0.25] * 9, np.ones((9, 1), np.float32)), k=4, least=None, diversity=0.07)
    @example(given=([0.5], np.ones((1, 3), np.float32)), k=1, least=None, diversity=0.07)
    @example(given=([0.5] * 3, np.zeros((3, 3), np.float32)), k=2, least=None, diversity=0.07)
    def examples(given, k, least, diversity):
        check_formula(name, given, k, least, diversity)

    examples()


def check_formula(name, given, k, least, diversity):
    scores, embeddings = given
    choice = Choice(selector(name, diversity), k, least)
    chosen = choice.indices(scores, embeddings=embeddings)
    assert chosen == slow(name, scores, embeddings, k, least, diversity, chosen)
    eligible = [i for i, score in enumerate(scores) if least is None or score >= least]
    assert len(chosen) == min(k, len(eligible))
    assert set(chosen) <= set(eligible)
    assert chosen == choice.indices(scores, embeddings=list(embeddings))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("small_blocks")
def test_candidates_in_many_blocks_are_chosen_as_those_in_one(name):
    """120 frames of 8 scenes, each of which returns; no block holds more than 9 of them."""
    random = np.random.default_rng(5)
    scenes = random.normal(size=(8, 16))
    rows = scenes[np.arange(120) // 5 % 8] + random.normal(size=(120, 16)) * 0.1
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    scores = (rows @ rows[70]).tolist()
    chosen = selector(name).select(scores, 24, embeddings=rows)
    assert chosen == slow(name, scores, rows, 24, None)


@pytest.fixture
def small_blocks(monkeypatch):
    for module, name, size in (
        (bounds, "_LEAST_BLOCK", 2),
        (bounds, "_MOST_BLOCK", 9),
        (gift, "_BLOCK", 7),
        (products, "_BLOCK", 5),
        (summary, "_BLOCK", 6),
    ):
        monkeypatch.setattr(module, name, size)


def test_gift_and_logdet_prefer_another_scene_to_the_same_frame_again():
    scores = [0.9, 0.89, 0.88, 0.6, 0.1]
    rows = np.array([[1, 0, 0]] * 3 + [[0, 1, 0], [0, 0, 1]], np.float32)
    for name in ("gift", "logdet"):
        assert selector(name).select(scores, 2, embeddings=rows) == [0, 3]
    assert selector("logdet", 0).select(scores, 2, embeddings=rows) == [0, 1]


def test_summary_shows_each_scene_and_the_longest_first():
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 1, 2, 2, 2]]
    for k, expected in ((1, [2]), (2, [2, 6]), (3, [0, 2, 6])):
        assert selector("summary").select([0.0] * 9, k, embeddings=rows) == expected


def test_identical_frames_give_the_earliest():
    rows = np.full((50, 3), 3**-0.5, np.float32)
    for name in NAMES:
        assert selector(name).select([0.3] * 50, 11, embeddings=rows) == list(range(11))


@pytest.mark.parametrize("diversity", [1e3, 1e300, sys.float_info.max])
def test_any_diversity_gives_as_many_frames_as_asked_for(diversity):
    given = {
        "scores": [0.1, 0.9, 0.5, 0.2],
        "embeddings": np.eye(2, dtype=np.float32)[[0, 0, 1, 1]],
    }
    chosen = Choice(selector("logdet", diversity), 3).indices(**given)
    assert len(chosen) == 3
    assert {1, 2} <= set(chosen), "the best, and the best that is unlike it"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' /proc")
@pytest.mark.parametrize("name", NAMES)
def test_a_day_of_video_takes_little_memory(name):
    """86,400 candidates of 512 numbers, beside the 177 MB of their embeddings."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.selection.a_day", name],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=REPO,
    )
    count, megabytes = map(int, found.stdout.split())
    assert count == 32
    assert megabytes <= 500


@pytest.mark.parametrize("wrong", [-0.1, math.inf, math.nan, "0.1", None])
def test_a_wrong_diversity_is_an_error_whichever_selector_is_chosen(wrong):
    with pytest.raises(ParameterError, match=r"diversity must be .*; use e\.g\. 0\.05"):
        selector("top", wrong)
