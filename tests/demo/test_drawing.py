"""Drawings and videos depend only on their seed, and show what their captions say."""

import json
from dataclasses import replace

import av
import numpy as np
import pytest

from spark_keyframes.demo.captions import describe, describe_absent
from spark_keyframes.demo.cooking import STORY, cooking_scenes, draw_cooking_video
from spark_keyframes.demo.drawing.backgrounds import PLACES
from spark_keyframes.demo.drawing.objects import COLOURS, KINDS, draw_object
from spark_keyframes.demo.scene import View, random_scene, scene_at, snapshot
from spark_keyframes.demo.video import draw_video


def test_the_same_seed_draws_the_same_picture():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return np.asarray(snapshot(random_scene(rng), 0.5, 90, rng))

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


@pytest.mark.parametrize("name", KINDS)
def test_an_object_can_be_drawn_in_every_place(name):
    rng = np.random.default_rng(3)
    for place in PLACES:
        scene = random_scene(rng, name, place=place)
        with_object = np.asarray(snapshot(scene, 0.0, 90, np.random.default_rng(0)), dtype=int)
        tiny = replace(scene, span=0.02)
        without = np.asarray(snapshot(tiny, 0.0, 90, np.random.default_rng(0)), dtype=int)
        assert (np.abs(with_object - without).max(-1) > 40).mean() > 0.02


@pytest.mark.parametrize("name", KINDS)
def test_an_object_stays_inside_its_square_at_any_angle(name):
    for angle in (0, 45, 90, 200):
        picture = draw_object(name, 200, colour=COLOURS["red"], angle=angle, mirrored=False, seed=1)
        left, top, right, bottom = picture.getbbox()
        assert min(left, top) > 0
        assert max(right, bottom) < 200


def test_captions_fit_their_scenes():
    rng = np.random.default_rng(4)
    for _ in range(200):
        scene, other = random_scene(rng), random_scene(rng)
        caption = describe(scene, rng)
        assert caption.fits(scene)
        assert caption.fits(other) <= (scene.object == other.object)
        assert not describe_absent(rng).fits(scene)


def test_a_video_has_the_frames_of_its_scenes(tmp_path):
    rng = np.random.default_rng(5)
    still = View(0, 0, 1)
    scenes = [
        replace(
            random_scene(rng, name, start=start, end=start + 0.5),
            first=still,
            last=still,
            noise=2.0,
        )
        for name, start in (("apple", 0.0), ("boat", 0.5))
    ]
    path = tmp_path / "two.mp4"
    draw_video(path, scenes, size=(320, 180), fps=10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = list(container.decode(stream))
    assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx(
        [n / 10 for n in range(10)]
    )
    for number, frame in enumerate(frames):
        seen = frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
        distance = {
            scene.object: np.abs(
                seen - np.asarray(snapshot(scene, 0.5, 180, np.random.default_rng(0)), dtype=int)
            ).mean()
            for scene in scenes
        }
        assert min(distance, key=distance.get) == scene_at(scenes, number / 10).object
        assert min(distance.values()) < 8


def test_the_same_arguments_encode_the_same_file(tmp_path):
    scenes = [random_scene(np.random.default_rng(6), end=0.4)]
    for name in ("a.mp4", "b.mp4"):
        draw_video(tmp_path / name, scenes, size=(160, 90))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_cooking_story_has_a_spoon_in_each_quarter():
    scenes = cooking_scenes(5)
    assert scenes[-1].end == sum(seconds for *_, seconds in STORY) == 60
    for quarter in range(4):
        assert any(
            scene.object == "spoon"
            and 15 * quarter <= scene.start
            and scene.end <= 15 * quarter + 15
            for scene in scenes
        )


def test_the_cooking_video_lists_its_scenes(tmp_path):
    path, scenes = draw_cooking_video(tmp_path, size=(320, 180), fps=5)
    rows = json.loads((tmp_path / "cooking.scenes.json").read_text())
    assert [row["object"] for row in rows] == [scene.object for scene in scenes]
    assert rows[2] == {
        "start": 7.0,
        "end": 11.0,
        "object": "spoon",
        "caption": "a silver spoon on a wooden table",
    }
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 300
