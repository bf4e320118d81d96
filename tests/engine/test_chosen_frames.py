"""Selectors that compare frames, and keyframes that may not repeat each other, in the engine."""

import logging
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import Request
from spark_keyframes.errors import ParameterError
from tests.engine.own_modules import FrameNumber
from tests.engine.pipelines import CPU, run, same
from tests.engine.test_embeddings import Colours
from tests.own import Brightness
from tests.video.clips import number_in

TEXTS = ["spoon", "a red car"]
NEW = [
    {"selector": "gift"},
    {"selector": "logdet", "diversity": 0.5},
    {"selector": "summary"},
    {"min_gap": 0.7},
    {"selector": "top", "max_similarity": 0.999, "min_gap": 0.3},
    {"selector": "uniform", "min_gap": 1.0},
    {"selector": "gift", "min_gap": 0.7, "max_similarity": 0.9995},
]


@pytest.mark.parametrize("given", NEW, ids=str)
@pytest.mark.parametrize("window", [(None, None), (0.5, 2.9)], ids=["whole", "part"])
@pytest.mark.parametrize("held", [60_000, 2**30])
def test_chooses_among_all_candidates_of_each_text(pipeline, clips, given, window, held):
    """Frames that were dropped, or found no room, are decoded again and are the right ones."""
    least = 0.0 if window[0] else None
    asked = pipeline(**given, min_score=least, embeddings=True, held_bytes=held)
    request = Request(str(clips[0]), TEXTS, start=window[0], end=window[1])
    (answers,) = asked.run([request], device=CPU)
    choice = asked.parameters.make_choice()
    for keyframes in answers.keyframes:
        of = keyframes.candidates
        places = choice.indices(of.scores, embeddings=of.embeddings, timestamps=of.timestamps)
        assert keyframes.frame_ids == [of.frame_ids[place] for place in places]
        assert keyframes.scores == [of.scores[place] for place in places]
        assert [number_in(rgb) for rgb in keyframes.images] == keyframes.frame_ids
        times = np.array(keyframes.timestamps)
        assert (np.diff(times) >= given.get("min_gap", 0) - 1e-6).all()


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("given", NEW, ids=str)
def test_half_precision_chooses_the_same_frames(pipeline, clips, given):
    exact, fast = pipeline(**given), pipeline(**given, dtype="float16")
    for outcome, expected in zip(run(fast, clips), run(exact, clips), strict=True):
        assert outcome.frame_ids == expected.frame_ids


def test_scores_are_cosines_with_the_text_whatever_chooses(plain, clips):
    expected = plain.sample(clips[0], text="").candidates.scores
    found = replace(plain, selector="summary").sample(clips[0], text="")
    assert found.candidates.scores == pytest.approx(expected, abs=1e-6)
    assert len(found.frame_ids) == plain.max_num_frames


def test_only_a_frame_that_takes_the_place_of_a_repeat_is_decoded_again(pipeline, clips):
    # Which video and gap show it depends on the random weights, and so on transformers.
    for video, gap in product(clips, (0.7, 0.5, 0.9)):
        (expected,), (found,) = (run(pipeline(min_gap=each), [video]) for each in (0.0, gap))
        again = set(found.frame_ids) - set(expected.frame_ids)
        if again and len(found.frame_ids) == len(expected.frame_ids):
            break
    assert expected.account.decoded_again == 0
    assert again
    assert found.account.decoded_again > 0
    assert len(found.frame_ids) == len(expected.frame_ids)


def test_parameters_that_are_off_change_nothing(pipeline, clips):
    for outcome, expected in zip(
        run(pipeline(min_gap=0, max_similarity=1), clips), run(pipeline(), clips), strict=True
    ):
        same(outcome, expected)


def test_no_text_names_the_selector_that_needs_none(plain, clips, caplog):
    for selector, warnings in (("aks", 1), ("gift", 1), ("summary", 0), ("uniform", 0)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "spark_keyframes"):
            replace(plain, selector=selector, text="").sample(clips[2])
        found = [record.message for record in caplog.records if 'text is ""' in record.message]
        assert len(found) == warnings
        assert all('set text, or selector="summary", which needs none' in m for m in found)


class Own(Colours):
    """Its scores are no cosines."""

    def predict_step(self, inputs, texts, **exact):
        return list(range(len(inputs)))


def test_what_needs_embeddings_is_refused_without_them():
    for given, message in (
        ({"selector": "gift", "module": Brightness()}, "selector Gift needs embeddings"),
        ({"max_similarity": 0.9, "module": FrameNumber()}, "max_similarity needs embeddings, and"),
        ({"max_similarity": 0.9, "module": Own()}, "would make the scores cosines, and Own"),
    ):
        with pytest.raises(ParameterError, match=message):
            VideoAdaptiveKeyframesSampling(**given)
    assert VideoAdaptiveKeyframesSampling(min_gap=2, module=FrameNumber()).min_gap == 2.0


def test_the_choice_is_named_in_results(plain):
    for given, name in (
        ({"selector": "logdet", "diversity": 0.2}, "logdet(diversity=0.2)"),
        ({"selector": "gift", "diversity": 0.2}, "gift"),
        ({"min_gap": 2}, "aks(min_gap=2.0)"),
        ({"t1": 0.2, "max_similarity": 0.9}, "aks(t1=0.2, max_similarity=0.9)"),
    ):
        changed = replace(plain, **given)
        assert changed.made_by(changed.make_module(), revision=None).selector == name
