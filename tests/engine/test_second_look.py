"""A second model scores the best candidates again, and the selection is made on its scores."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from spark_keyframes.engine import Request
from spark_keyframes.errors import ModuleError
from spark_keyframes.module import ClipModule
from spark_keyframes.result import Failure
from spark_keyframes.video import candidate_frames
from tests.engine.own_modules import CPU, FrameNumber, run, sampler
from tests.engine.pipelines import same
from tests.engine.test_embeddings import Colours
from tests.matcher.test_blip import transformers_scores
from tests.selection.test_second_look import slow_segments, slow_shortlist
from tests.video.clips import number_in


class Input:
    """What the matcher sees of a frame, counted while it exists."""

    alive = weakref.WeakSet()
    most = 0

    def __init__(self, rgb):
        self.number = number_in(rgb)
        Input.alive.add(self)
        Input.most = max(Input.most, len(Input.alive))


class Matcher(FrameNumber):
    """Likes numbers that divide by 7 less, and those of texts that are longer more."""

    def __init__(self):
        self.seen = []

    def preprocess(self, rgb):
        return Input(rgb)

    def predict_step(self, inputs, texts):
        self.seen += [(each.number, text) for each, text in zip(inputs, texts, strict=True)]
        return [each.number % 7 + len(text) for each, text in zip(inputs, texts, strict=True)]


class Rising(FrameNumber):
    """A first model that likes later frames, or with the text "early" earlier ones."""

    def predict_step(self, inputs, texts):
        return [
            -each if text == "early" else each for each, text in zip(inputs, texts, strict=True)
        ]


def asking(**parameters):
    return sampler(Rising(), rerank="second", **parameters)


def numbers(clip):
    return [number_in(frame.to_rgb()) for frame in candidate_frames(clip, fps=5)]


@pytest.mark.parametrize("selector", ["top", "bin", "aks"])
@pytest.mark.parametrize("size", [None, 5, 1000])
def test_selects_as_a_slow_implementation_does(clips, selector, size):
    of = asking(selector=selector, rerank_candidates=size)
    matcher = Matcher()
    (found,) = run(of, [(clips[0], "spoon")], matcher=matcher)
    first = numbers(clips[0])
    second = [number % 7 + len("spoon") for number in first]
    segments = slow_segments(selector, first, 4, 0.8, 5)
    looked_at = slow_shortlist(segments, first, 4, size or 16)
    expected = sorted(
        index
        for segment, places in segments
        for index in sorted(set(segment) & set(looked_at), key=lambda i: (-second[i], i))[:places]
    )
    assert found.frame_ids == [first[index] for index in expected]
    assert found.scores == [second[index] for index in expected]
    assert found.candidates.scores == first, "of all candidates, by the first model"
    assert found.account.scored_again == len(looked_at) == len(matcher.seen)
    assert found.account.frames_scored == len(first)


def test_each_of_several_texts_has_its_own_second_look(clips):
    of, matcher = asking(rerank_candidates=5), Matcher()
    (answers,) = run(of, [(clips[0], ["spoon", "early", None])], matcher=matcher)
    for text, found in zip(("spoon", "early"), answers.keyframes, strict=False):
        (alone,) = run(of, [(clips[0], text)], matcher=Matcher())
        same(found, alone)
    assert answers.keyframes[2] is None
    first = numbers(clips[0])
    expected = [(n, "spoon") for n in first[-5:]] + [(n, "early") for n in first[:5]]
    assert sorted(matcher.seen) == sorted(expected), "no frame for a text that does not want it"
    assert answers.account.scored_again == 10


def test_a_least_score_is_the_matcher_s(clips):
    of = asking(min_score=len("spoon") + 5)
    (found,) = run(of, [(clips[0], "spoon")], matcher=Matcher())
    assert found.scores
    assert min(found.scores) >= of.min_score
    (none,) = run(replace(of, min_score=1000), [(clips[0], "spoon")], matcher=Matcher())
    assert (none.frame_ids, none.scores) == ([], [])


def test_keyframes_that_repeat_another_give_way_to_others_that_were_looked_at(clips):
    of, matcher = asking(selector="top", min_gap=0.5), Matcher()
    (found,) = run(of, [(clips[0], "spoon")], matcher=matcher)
    looked_at = {number for number, _ in matcher.seen}
    assert set(found.frame_ids) <= looked_at
    assert (np.diff(found.timestamps) >= 0.5 - 1e-6).all()
    left = sorted(looked_at, key=lambda number: (-(number % 7), number))
    kept = []
    for number in left:
        if all(abs(number - other) >= 0.5 * 25 for other in kept):
            kept.append(number)
    assert found.frame_ids == sorted(kept[:4]), "the best by the matcher"


def test_selectors_and_repeats_compare_the_first_model_s_embeddings(clips):
    given = {"rerank": "second", "max_similarity": 0.99999, "min_gap": 0.3}
    of = sampler(Colours(), selector="gift", **given)
    (found,) = run(of, [(clips[0], "red")], matcher=Matcher(), embeddings=True)
    embeddings, candidates = found.candidates.embeddings, found.candidates
    looked_at = of.make_choice().shortlist(candidates.scores)
    second = {index: candidates.frame_ids[index] % 7 + len("red") for index in looked_at}
    expected = of.make_choice().indices(
        candidates.scores,
        embeddings=embeddings,
        timestamps=candidates.timestamps,
        second=second,
    )
    assert found.frame_ids == [candidates.frame_ids[index] for index in expected]


def test_only_the_part_of_a_window_is_looked_at(clips):
    of, matcher = asking(rerank_candidates=1000), Matcher()
    request = Request(str(clips[0]), "spoon", 1.0, 2.0)
    pipeline = of._pipeline(None)
    (found,) = replace(pipeline, matcher=matcher).run([request], device=CPU)
    assert [number for number, _ in matcher.seen] == [25, 30, 35, 40, 45]
    assert set(found.frame_ids) <= {25, 30, 35, 40, 45}
    empty = Request(str(clips[0]), "spoon", 1.01, 1.02)
    (found,) = replace(pipeline, matcher=matcher).run([empty], device=CPU)
    assert found.frame_ids == []


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_without_room_for_frames_they_are_decoded_again(clips, decoder):
    of = asking(rerank_candidates=6, return_keyframes=True, decoder=decoder)
    kept, again = (
        run(of, [(clips[0], "spoon")], matcher=Matcher(), held_bytes=size)[0] for size in (2**30, 0)
    )
    same(kept, again)
    assert all(np.array_equal(*pair) for pair in zip(kept.images, again.images, strict=True))
    assert [number_in(image) for image in again.images] == again.frame_ids
    assert kept.account.decoded_again == 0
    assert again.account.decoded_again == 6 + 4, "those looked at, and the keyframes"


def test_the_matcher_s_inputs_exist_for_one_batch(clips):
    gc.collect()
    Input.alive.clear()
    Input.most = 0
    of = asking(rerank_candidates=1000, batch_size=3)
    matcher = Matcher()
    (found,) = run(of, [(clips[0], "spoon")], matcher=matcher)
    assert len(found.frame_ids) == 4
    assert len(matcher.seen) == 18
    # A batch is freed once the next one replaces it.
    assert Input.most <= 2 * 3


def test_a_matcher_that_fails_costs_its_row_only(clips):
    class Fails(Matcher):
        def predict_step(self, inputs, texts):
            if "bad" in texts:
                raise ValueError("no such word")
            return super().predict_step(inputs, texts)

    bad, good = run(asking(), [(clips[0], "bad"), (clips[1], "good")], matcher=Fails())
    assert isinstance(bad, Failure)
    assert isinstance(bad.cause, ModuleError)
    assert "predict_step of Fails failed: ValueError: no such word" in bad.message
    assert len(good.frame_ids) == 4


def test_clip_chooses_what_blip_looks_at(reranking, clips):
    found = replace(reranking, return_keyframes=True).sample(clips[0])
    frames = [frame.to_rgb() for frame in candidate_frames(clips[0], fps=5)]
    first = replace(reranking, rerank="", rerank_candidates=None).sample(clips[0]).candidates.scores
    assert found.candidates.scores == pytest.approx(first, abs=1e-6)
    segments = slow_segments("aks", first, 4, 0.8, 5)
    looked_at = slow_shortlist(segments, first, 4, 8)
    second = transformers_scores(f"{reranking.model_path}/blip", frames, "spoon")
    expected = sorted(
        max(set(segment) & set(looked_at), key=lambda i: second[i]) for segment, _ in segments
    )
    ids = [frame.frame_id for frame in candidate_frames(clips[0], fps=5)]
    assert found.frame_ids == [ids[index] for index in expected]
    assert np.abs(np.array(found.scores) - second[expected]).max() < 1e-4
    assert found.contact_sheet().width == 1200


def test_both_models_are_set_up_once_in_a_process(reranking, clips, monkeypatch):
    loaded = []

    def counted(owner, name):
        original = getattr(owner, name)

        def load(*args, **more):
            loaded.append(name)
            return original(*args, **more)

        monkeypatch.setattr(owner, name, load)

    import spark_keyframes.matcher.blip_module
    import spark_keyframes.module

    counted(spark_keyframes.module, "load_clip")
    counted(spark_keyframes.matcher.blip_module, "load_blip")
    monkeypatch.setattr("spark_keyframes.ready_modules._ready", {})
    for text in ("spoon", "dog"):
        run(reranking, [(clips[0], text), (clips[1], text)], matcher=reranking.make_matcher())
        replace(reranking, rerank_candidates=5).sample(clips[2])
    assert sorted(loaded) == ["load_blip", "load_clip"]


def test_half_precision_decides_exactly_what_is_looked_at(reranking, clips, bfloat16, monkeypatch):
    again = []
    embed = ClipModule.embed_images

    def watched(module, inputs, *, exact=False):
        again.append(len(inputs) if exact else 0)
        return embed(module, inputs, exact=exact)

    monkeypatch.setattr(ClipModule, "embed_images", watched)
    for name in ("TOLERANCE", "AUTOCAST_TOLERANCE"):
        monkeypatch.setattr(f"spark_keyframes.clip.vision.{name}", {"bfloat16": 3e-3})
    half = replace(reranking, dtype="float16").sample(clips[0])
    same_frames = reranking.sample(clips[0])
    assert half.frame_ids == same_frames.frame_ids
    assert sum(again) > 0
    assert half.account.scored_again == sum(again) + 8
