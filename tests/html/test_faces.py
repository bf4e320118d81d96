"""How results and samplers look in a notebook."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spark_keyframes import (
    Access,
    Callback,
    KeyframesModule,
    Limits,
    Selector,
    VideoAdaptiveKeyframesSampling,
)
from tests.html.own_cards import HOSTILE
from tests.html.reading import Page


@pytest.fixture(scope="module")
def found(sampler, clips):
    return sampler.sample(clips[0])


def test_keyframes_show_images_times_curve_and_parts(found):
    page = Page(found._repr_html_())
    assert [each["alt"] for each in page.of("img")] == [
        f"Keyframe at 0:{at:04.1f}, frame {frame}"
        for at, frame in zip(found.timestamps, found.frame_ids, strict=True)
    ]
    assert f"“spoon” · 4 keyframes of {len(found.candidates.scores)} candidates" in page.text
    parts = [each for each in page.of("g") if each.get("class") == "kf-bar"]
    assert len(parts) == len(found.explain().parts)
    assert "chose 4 of" in page.text
    assert repr(found).startswith("Keyframes(tos_paths=[], frame_ids=[")


def test_keyframes_without_images_say_why(plain, clips, tmp_path):
    page = Page(plain.sample(clips[0])._repr_html_())
    assert page.text.count("No image: it was not returned; sample with return_keyframes=True") == 4
    stored = replace(plain, output_tos_dir=str(tmp_path)).sample(clips[0])
    assert len(Page(stored._repr_html_()).of("img")) == 4
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    assert "No image: no file" in Page(stored._repr_html_()).text


def test_no_keyframe_is_said_over_the_curve(sampler, clips):
    page = Page(replace(sampler, min_score=2.0).sample(clips[0])._repr_html_())
    assert "No keyframe was selected." in page.text
    assert page.of("svg")


def test_keyframes_of_several_texts_show_one_after_the_other(plain, clips):
    several = plain.sample(clips[0], text=["a spoon", None, HOSTILE])
    assert isinstance(several, list)
    page = Page(several._repr_html_())
    assert page.text.index("a spoon") < page.text.index("the text is null")
    assert "<script>alert(1)</script>" in page.text
    assert not page.of("script")
    assert "No keyframes" in Page(plain.sample(clips[0], text=[])._repr_html_()).text


class Broken(Selector):
    def select(self, scores, k):
        return range(k)

    def explain(self, scores, k, **_):
        raise RuntimeError("no idea")


def test_a_selector_that_cannot_explain_does_not_hide_the_keyframes(plain, clips):
    page = Page(replace(plain, selector=Broken()).sample(clips[0])._repr_html_())
    assert "4 keyframes of" in page.text
    assert "Why these frames were chosen is not known" in page.text
    assert "no idea" in page.text


@dataclass
class Mine(KeyframesModule):
    key: str = "s3cr3t"

    def predict_step(self, frames, texts):
        return np.zeros(len(frames))


class Watching(Callback):
    def __init__(self, password):
        self.password = password

    def __repr__(self):
        return f"Watching({self.password})"


def test_a_sampler_shows_what_differs_and_the_rest_behind_a_line():
    sampler = VideoAdaptiveKeyframesSampling(
        text=HOSTILE,
        fps=2,
        limits=Limits(max_frames=5000),
        access=Access(allowed_schemes=("https",)),
        output_tos_dir="https://me:hunter2@example.com/a?X-Tos-Signature=abc",
        module=Mine(),
        callbacks=[Watching("hunter2")],
    )
    html = sampler._repr_html_()
    page = Page(html)
    changed, rest = page.text.split("with their defaults")
    for words in (
        "fps 2.0 Candidate frames per second",
        "limits Limits(max_frames=5000) Limits on one video",
        "access Access(allowed_schemes=('https',))",
        "module Mine A KeyframesModule of your own",
        "callbacks (Watching,)",
        "<script>alert(1)</script>",
    ):
        assert words in changed
    assert "max_num_frames" not in changed
    assert "max_num_frames 32 The number of keyframes per video" in rest
    assert not page.of("script")
    assert "hunter2" not in html
    assert "s3cr3t" not in html
    assert "Signature=abc" not in html
    assert repr(VideoAdaptiveKeyframesSampling(fps=2)) == (
        "VideoAdaptiveKeyframesSampling(fps=2.0)"
    )


def test_a_sampler_of_defaults_says_so():
    page = Page(VideoAdaptiveKeyframesSampling()._repr_html_())
    assert "All parameters have their defaults." in page.text
