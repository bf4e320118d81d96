"""Keyframes say why they were chosen, from what they hold."""

import pickle
from dataclasses import replace

import pytest
from PIL import ImageChops

from spark_keyframes import Account, Candidates, Keyframes
from tests.engine.own_modules import run
from tests.engine.test_second_look import Matcher, asking


def test_sample_gives_keyframes_that_explain_themselves(plain, clips):
    found = replace(plain, min_gap=0.3).sample(clips[0])
    trace = found.explain()
    of = found.candidates
    assert [of.frame_ids[index] for index in trace.keyframes] == found.frame_ids
    assert [trace.scores[index] for index in trace.keyframes] == found.scores
    assert trace.timestamps == of.timestamps
    assert sum(leaf.places for leaf in trace.root.leaves) == 4
    assert str(trace).startswith(
        f"AKS(t1=0.8, t2=-100.0, all_depth=5) chose 4 of {len(of.scores)} candidates."
    )
    again = pickle.loads(pickle.dumps(found))
    assert str(again.explain()) == str(trace)


def test_what_needs_embeddings_is_said_without_them(plain, clips):
    asked = replace(plain, selector="logdet", max_similarity=0.5)
    found = asked.sample(clips[0])
    assert found.candidates.embeddings is None
    lines = str(found.explain()).splitlines()
    assert lines[0].startswith("LogDet(diversity=0.05) chose 4 of ")
    assert any("gave way to" in line and "max_similarity is 0.5" in line for line in lines)


def test_each_of_several_texts_has_its_own_second_look(clips):
    asked = asking(rerank_candidates=5)
    (answers,) = run(asked, [(clips[0], ["spoon", "early"])], matcher=Matcher())
    traces = [keyframes.explain() for keyframes in answers.keyframes]
    for keyframes, trace in zip(answers.keyframes, traces, strict=True):
        assert trace.looked_at == trace.eligible == 5
        assert [trace.scores[index] for index in trace.keyframes] == keyframes.scores
        assert trace.scale == (min(keyframes.candidates.scores), max(keyframes.candidates.scores))
    assert traces[0].keyframes != traces[1].keyframes


@pytest.mark.parametrize("rerank", [False, True])
def test_a_part_between_two_candidates_explains_itself(plain, reranking, clips, rerank):
    found = (reranking if rerank else plain).sample(clips[0], start=0.01, end=0.02)
    assert str(found.explain()) == "AKS(t1=0.8, t2=-100.0, all_depth=5) chose 0 of 0 candidates."


def test_a_contact_sheet_shows_how_the_video_was_divided(sampler, clips):
    found = sampler.sample(clips[0])
    plain, explained = found.contact_sheet(), found.contact_sheet(explain=True)
    assert explained.width == plain.width
    # The video, two halves and four quarters are three rows.
    deeper = replace(sampler, all_depth=1).sample(clips[0]).contact_sheet(explain=True)
    assert plain.height < deeper.height < explained.height
    same = explained.crop((0, 0, plain.width, plain.height - 24))
    assert not ImageChops.difference(same, plain.crop((0, 0, *same.size))).getbbox()


def test_keyframes_that_were_made_by_hand_cannot_be_explained():
    found = Keyframes([], [1], [0.5], [0.0], [], Candidates([1], [0.0], [0.5]), Account())
    with pytest.raises(ValueError, match="only keyframes that were chosen here"):
        found.explain()
