"""A model that crops the centre gets only that part of a frame, and the scores stay the same."""

import pytest

from spark_keyframes import CentreCrop
from spark_keyframes.engine import Callback, Request
from spark_keyframes.errors import ModuleError
from spark_keyframes.module import ClipModule
from tests.engine.own_modules import FrameNumber, sampler
from tests.engine.pipelines import CPU, Watched, run
from tests.video.clips import number_in


class Looking(Callback):
    needs_images = True

    def on_keyframes(self, keyframes):
        assert [number_in(image) for image in keyframes.images] == keyframes.frame_ids


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_scores_do_not_depend_on_whether_images_are_wanted(pipeline, clips, tmp_path, decoder):
    parameters = {"decoder": decoder, "fps": 25.0}
    wanted = [
        pipeline(**parameters, return_keyframes=False),
        pipeline(**parameters, return_keyframes=True),
        pipeline(**parameters, return_keyframes=False, callbacks=[Looking()]),
        pipeline(**parameters, return_keyframes=True, held_bytes=0),
        pipeline(WholeFrames, **parameters, return_keyframes=False),
    ]
    (expected,), *others = [run(each, clips[:1]) for each in wanted]
    assert len(expected.candidates.scores) == 90
    for (other,) in others:
        assert other.candidates.scores == expected.candidates.scores, "bit for bit"
        assert (other.frame_ids, other.scores) == (expected.frame_ids, expected.scores)


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_scores_of_an_index_are_those_of_the_video(pipeline, clips, decoder):
    (answer,) = pipeline(decoder=decoder, embeddings=True).run(
        [Request(str(clips[0]), [])], device=CPU
    )
    asking = pipeline(decoder=decoder, asks_index=True, return_keyframes=True)
    requests = [Request(str(clips[0]), "spoon", indexed=answer.candidates)]
    (asked,) = asking.run(requests, device=CPU)
    (expected,) = run(pipeline(WholeFrames, decoder=decoder, embeddings=True), clips[:1])
    assert asked.candidates.scores == expected.candidates.scores, "bit for bit"
    assert [number_in(image) for image in asked.images] == asked.frame_ids == expected.frame_ids


class WholeFrames(Watched):
    looks_at = None


class Own(Watched):
    """It overrides `preprocess`, so the whole frame is converted, whatever CLIP looks at."""

    def preprocess(self, rgb):
        assert number_in(rgb) % 5 == 0
        return super().preprocess(rgb)


def test_an_own_preprocess_of_clip_sees_whole_frames(pipeline, clips):
    (own,) = run(pipeline(Own, decoder="thread"), clips[:1])
    (expected,) = run(pipeline(), clips[:1])
    assert own.candidates.scores == expected.candidates.scores
    module = pipeline().module
    module.setup(CPU)
    assert module.looks_at == CentreCrop(64, 64, 2)
    module.preprocess = number_in
    assert module.looks_at is None


class Centre(FrameNumber):
    """Keeps what it gets of each frame; the clips are 96×160."""

    keeps_rgb = True

    def __init__(self):
        self.looks_at = CentreCrop(shortest_edge=96, side=96, reach=1)

    def preprocess(self, rgb):
        return rgb

    def predict_step(self, inputs, texts):
        for rgb in inputs:
            assert rgb.shape == (96, 160, 3)
            assert rgb[:, 32:128].any(axis=(0, 2)).all()
            assert not rgb[:, :29].any(), "not converted"
            assert not rgb[:, 131:].any(), "not converted"
        return [rgb[:, 32:128].mean() for rgb in inputs]


def test_a_module_of_one_s_own_may_say_what_it_looks_at(clips):
    keyframes = sampler(Centre(), return_keyframes=True, decoder="thread").sample(clips[0])
    assert [number_in(image) for image in keyframes.images] == keyframes.frame_ids
    means = [image[:, 32:128].mean() for image in keyframes.images]
    assert keyframes.scores == pytest.approx(means)


def test_what_a_module_looks_at_is_checked(clips):
    class Wrong(FrameNumber):
        looks_at = (0, 0, 96, 96)

    with pytest.raises(ModuleError, match=r"looks_at must be a CentreCrop .*, got \(0, 0, 96, 96"):
        sampler(Wrong()).sample(clips[2])


def test_a_module_without_a_model_says_so_when_it_is_asked(models):
    module = ClipModule(model_path=str(models), clip_model_name="small", dtype="float32")
    with pytest.raises(RuntimeError, match="call setup"):
        assert module.looks_at
