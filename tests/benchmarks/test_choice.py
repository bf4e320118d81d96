"""The benchmark of selectors: its truth, its marks, and a small run of the whole."""

import os
import subprocess
import sys
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.choice.embedding import draw_frames
from benchmarks.choice.marks import difference, interval, mark
from benchmarks.choice.settings import SELECTORS
from benchmarks.choice.videos import EVENTS, KINDS, Video, plan
from spark_keyframes.demo.scene import random_scene
from spark_keyframes.selection import SelectorName
from tests.conftest import REPO


def video_of(*shots):
    """A video with a candidate a second: shots of (seconds, seed of the picture)."""
    scenes, start = [], 0.0
    for seconds, picture in shots:
        rng = np.random.default_rng(picture)
        scenes.append(random_scene(rng, "egg", start=start, end=start + seconds))
        start += seconds
    return Video(scenes, [], 1.0, "large")


def test_marks_are_those_counted_by_hand():
    video = video_of((4, 1), (4, 2), (4, 1), (4, 3))
    events = [(4.0, 8.0), (12.0, 16.0)]
    assert mark(video, events, [4, 5]) == (0.5, 1.0, 0.5, 0.5)
    assert mark(video, events, [0, 4, 9, 13]) == (1.0, 0.5, 1.0, 1.0)
    # Of three pictures, two: those of the first and the third shot are the same.
    assert mark(video, events, [0, 1, 8, 15]) == (0.5, 0.25, 0.75, pytest.approx(2 / 3))


def test_a_wilson_interval_holds_its_mean_and_has_a_width():
    # The known interval of 8 of 10.
    mean, low, high = interval(np.array([1.0] * 8 + [0.0] * 2))
    assert (mean, low, high) == pytest.approx((0.8, 0.490, 0.943), abs=1e-3)
    mean, low, high = interval(np.ones(50))
    assert mean == high == 1
    assert 0.9 < low < 1


def test_a_difference_compares_equal_videos():
    values = np.random.default_rng(0).random(50)
    mean, low, high = difference(values + 0.25, values, seed=0)
    assert (mean, low, high) == pytest.approx((0.25,) * 3)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_plan_has_the_events_that_it_says_and_no_others(kind):
    video = plan(kind, 0, 1)
    assert video.scenes[0].start == 0
    assert video.scenes[-1].end == pytest.approx(60 * kind.minutes)
    assert [a.end for a in video.scenes[:-1]] == [b.start for b in video.scenes[1:]]
    times = np.array(video.times)
    assert [question.name for question in video.questions] == list(EVENTS)
    for question in video.questions:
        shown = [
            (scene.start, scene.end)
            for scene in video.scenes
            if question.text == f"a {scene.colour} {scene.object}"
        ]
        assert list(question.events) == shown
        assert len(shown) == EVENTS[question.name]
        assert all(((start <= times) & (times < end)).any() for start, end in shown)


def test_equal_draws_are_equal_and_others_are_not():
    kind = KINDS["5 minutes of cuts"]
    assert repr(plan(kind, 0, 0)) == repr(plan(kind, 0, 0))
    assert len({repr(plan(kind, seed, draw)) for seed in (0, 1) for draw in (0, 1)}) == 4


def test_each_candidate_shows_the_shot_of_its_time():
    video = video_of((2, 1), (2, 2), (2, 1))
    frames = [np.asarray(f, int) for f in draw_frames(video, video.times)]
    assert [frame.shape for frame in frames] == [(90, 160, 3)] * 6
    apart = np.array([[np.abs(a - b).mean() for b in frames] for a in frames])
    alike = apart < 50  # noise, and the camera's movement
    shots = np.array([1, 1, 2, 2, 1, 1])
    assert (alike == (shots[:, None] == shots)).all(), apart.round()


def test_every_selector_is_measured():
    assert list(SELECTORS) == list(get_args(SelectorName))


@pytest.mark.slow
def test_a_small_run_writes_its_report_and_picture(tmp_path):
    report, picture = tmp_path / "report.md", tmp_path / "picture.svg"
    options = ["--draws", "2", "--kinds", "5 minutes of cuts", "--encoded", "1", "--seed", "3"]
    paths = ["--cache", tmp_path / "cache", "--output", report, "--picture", picture]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.choice", *options, *map(str, paths)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "seed 3" in done.stdout
    text = report.read_text()
    assert "1 videos" in text
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert all(rows.count(name) > 10 for name in SELECTORS)
    titles = [each.text for each in ElementTree.parse(picture).iter() if each.text]
    assert set(SELECTORS) <= set(titles)
