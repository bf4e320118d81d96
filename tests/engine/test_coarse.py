"""With scan="coarse", some candidates are looked at: their scores, times and images are exact."""

import logging
from dataclasses import replace

import pytest

from spark_keyframes.engine import Pipeline, Request
from spark_keyframes.result import Failure
from spark_keyframes.video.process.process_video import ProcessVideo
from spark_keyframes.video.sequential import no_such_frame
from spark_keyframes.video.thread_decoder import ThreadVideo
from tests.engine.own_modules import CPU, FrameNumber, run, sampler
from tests.video.clips import H264, clip, clip_named, damaged, number_in


class Near(FrameNumber):
    """Scores a frame by how near its number is to that of the text, in half precision or exactly.

    Its half precision is off by up to 0.3.
    """

    tolerance = 0.0
    exact = 0

    def predict_step(self, inputs, texts, *, exact=False):
        self.exact += len(inputs) if exact else 0
        error = 0.0 if exact or not self.tolerance else 0.3
        return [
            -abs(number - float(text)) + error * (-1) ** number
            for number, text in zip(inputs, texts, strict=True)
        ]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """250 frames in GOPs of 12: most keyframes are no candidates at 5 per second."""
    path = tmp_path_factory.mktemp("coarse") / "video.mp4"
    options = {"crf": "30", "preset": "veryfast", "threads": "1", "sc_threshold": "0"}
    path.write_bytes(clip("libx264", "mp4", frames=250, gop=12, options=options))
    return path


def coarse(module=None, **parameters):
    given = {"scan": "coarse", "scan_budget": 0.7, "decoder": "thread"}
    return sampler(module or Near(), **(given | parameters))


def only(outcomes):
    (outcome,) = outcomes
    assert not isinstance(outcome, Failure), outcome
    return outcome


@pytest.mark.parametrize("decoder", ["thread", "process"])
@pytest.mark.parametrize("held_bytes", [0, 2**30])
def test_the_frames_found_are_exact(video, decoder, held_bytes):
    of = coarse(decoder=decoder, return_keyframes=True)
    found = only(run(of, [(video, "131")], held_bytes=held_bytes))
    every = only(run(replace(of, scan="exhaustive"), [(video, "131")]))
    assert found.frame_ids == every.frame_ids == [125, 130, 135, 140]
    assert (found.scores, found.timestamps) == (every.scores, every.timestamps)
    assert [number_in(image) for image in found.images] == found.frame_ids
    for image, other in zip(found.images, every.images, strict=True):
        assert (image == other).all()
    account = found.account
    assert account.candidates_total == 50 == every.account.candidates_total
    assert 4 < account.frames_scored < 35
    assert account.frames_scored + account.guides_scored <= 35
    assert account.guides_scored > 10, "most keyframes are no candidates"
    assert every.account.frames_scored == 50
    assert every.account.guides_scored == 0
    assert account.frames_decoded < every.account.frames_decoded
    # Frames that may be chosen are kept, unless there is no room.
    assert account.decoded_again == (0 if held_bytes else 4)


def test_candidates_are_those_that_were_looked_at_in_order(video):
    found = only(run(coarse(), [(video, "131")]))
    looked = found.candidates
    assert looked.frame_ids == sorted(looked.frame_ids)
    assert len(looked.frame_ids) == found.account.frames_scored
    assert all(frame_id % 5 == 0 for frame_id in looked.frame_ids)
    assert looked.timestamps == pytest.approx([frame_id / 25 for frame_id in looked.frame_ids])
    assert looked.scores == [-abs(frame_id - 131) for frame_id in looked.frame_ids]
    trace = found.explain()
    assert trace.keyframes == [looked.frame_ids.index(frame_id) for frame_id in found.frame_ids]
    assert str(trace).startswith(f"Top() chose 4 of {len(looked.frame_ids)} candidates")


def test_contested_frames_are_scored_again(video):
    module = Near()
    module.tolerance = 0.31
    of = coarse(module, return_keyframes=True)
    found = only(run(of, [(video, "132.4")]))
    # 120 and 145 are about as near, and so is 125 to the last place.
    assert found.frame_ids == [125, 130, 135, 140]
    exact = only(run(replace(of, scan="exhaustive"), [(video, "132.4")]))
    assert (found.frame_ids, found.account.scored_again) == (exact.frame_ids, 0)
    three = replace(of, max_num_frames=3)
    found = only(run(three, [(video, "132.4")]))
    exact = only(run(replace(three, scan="exhaustive"), [(video, "132.4")]))
    assert found.account.scored_again > 0
    assert (found.frame_ids, found.scores) == (exact.frame_ids, exact.scores)


def ask(of, request):
    return only(Pipeline(of.make_module(), of).run([request], device=CPU))


def test_several_texts(video):
    asked = Request(str(video), ["131", None, "40"])
    first, none, second = ask(coarse(return_keyframes=True), asked).keyframes
    assert none is None
    assert first.frame_ids == [125, 130, 135, 140]
    assert second.frame_ids == [30, 35, 40, 45]
    assert [number_in(image) for image in second.images] == second.frame_ids


@pytest.mark.parametrize("scan_budget", [0.35, 0.7])
def test_a_slice_of_the_video_has_a_keyframe_as_by_all_candidates(video, scan_budget):
    of = coarse(selector="bin", max_num_frames=16, scan_budget=scan_budget)
    found = only(run(of, [(video, "131")]))
    every = only(run(replace(of, scan="exhaustive"), [(video, "131")]))
    assert len(found.frame_ids) == len(every.frame_ids) == 16
    assert found.account.frames_scored < 50


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_open_gops_that_need_those_before_them_are_not_decoded_again_and_again(
    decoder, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "spark_keyframes")
    path = tmp_path / "video.mp4"
    options = H264 | {"x264-params": "open-gop=1:scenecut=0"}
    path.write_bytes(clip("libx264", "mp4", frames=500, gop=25, options=options))
    of = coarse(decoder=decoder, scan_budget=0.35)
    found = only(run(of, [(path, "131")]))
    every = only(run(replace(of, scan="exhaustive"), [(path, "131")]))
    assert found.frame_ids == every.frame_ids
    assert found.candidates.scores == every.candidates.scores
    assert found.account.frames_scored == found.account.candidates_total == 100
    assert "its open GOPs cannot be decoded alone" in caplog.text
    more = found.account.frames_decoded - every.account.frames_decoded
    assert more <= 30, "up to 17 keyframes, and a part of the first GOPs"


def test_a_part_of_a_video(video):
    asked = Request(str(video), "131", start=2.1, end=9.0)  # frames 55 to 220
    found = ask(coarse(), asked)
    assert found.frame_ids == [125, 130, 135, 140]
    assert found.account.candidates_total == 34
    assert found.account.frames_scored < 34
    assert min(found.candidates.frame_ids) >= 55


@pytest.mark.parametrize("selector", ["aks", "bin"])
def test_keyframes_are_spread_as_by_all_candidates(video, selector):
    of = coarse(selector=selector, max_num_frames=2, all_depth=1)
    found = only(run(of, [(video, "131")]))
    every = only(run(replace(of, scan="exhaustive"), [(video, "131")]))
    assert every.frame_ids == [120, 130]
    assert found.frame_ids == every.frame_ids


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("h264 one keyframe", "its candidates are in 1 GOP"),
        ("h264 raw", "only decoding tells which frames it has"),
        ("h264 mp4", "fewer than 12"),
    ],
)
def test_others_are_looked_at_wholly_and_the_log_says_why(name, why, tmp_path, caplog):
    path = tmp_path / "video"
    path.write_bytes(clip_named(name))
    caplog.set_level(logging.INFO, "spark_keyframes")
    found = only(run(coarse(), [(path, "31")]))
    every = only(run(coarse(scan="exhaustive"), [(path, "31")]))
    assert found.frame_ids == every.frame_ids
    assert found.account.frames_scored == found.account.candidates_total
    assert every.account.frames_scored == found.account.frames_scored
    assert "all candidates are looked at" in caplog.text
    assert why in caplog.text


def test_a_damaged_video_is_looked_at_wholly(video, tmp_path, caplog):
    caplog.set_level(logging.INFO, "spark_keyframes")
    data = damaged(video.read_bytes(), seed=3, size=3000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    found = only(run(coarse(), [(path, "131")]))
    every = only(run(coarse(scan="exhaustive"), [(path, "131")]))
    assert found.frame_ids == every.frame_ids
    assert found.scores == every.scores
    assert found.account.frames_scored == every.account.frames_scored
    assert found.candidates.frame_ids == every.candidates.frame_ids
    assert "all candidates are looked at: frame " in caplog.text


@pytest.mark.parametrize("way", ["later", "gone"])
@pytest.mark.parametrize(("decoder", "kind"), [("thread", ThreadVideo), ("process", ProcessVideo)])
def test_where_decoding_shows_other_frames_than_planned_all_are_looked_at(
    video, decoder, kind, way, caplog, monkeypatch
):
    """From the third look on, only decoding tells which frames there are."""
    caplog.set_level(logging.INFO, "spark_keyframes")
    looks, original, count = [], kind.candidates_by_id, kind.candidate_count

    def candidates_by_id(self, frame_ids, **how):
        looks.append(frame_ids)
        if len(looks) < 3:
            yield from original(self, frame_ids, **how)
            return
        if way == "gone":
            raise no_such_frame(frame_ids[0], 3)
        for frame in original(self, frame_ids, **how):
            yield replace(frame, timestamp=frame.timestamp + 0.04)

    def candidate_count(self, fps):
        return None if len(looks) > 2 else count(self, fps)

    monkeypatch.setattr(kind, "candidates_by_id", candidates_by_id)
    monkeypatch.setattr(kind, "candidate_count", candidate_count)
    of = coarse(decoder=decoder, return_keyframes=True)
    found = only(run(of, [(video, "131")]))
    assert len(looks) == 3
    every = only(run(replace(of, scan="exhaustive"), [(video, "131")]))
    assert (found.frame_ids, found.scores) == (every.frame_ids, every.scores)
    assert [number_in(image) for image in found.images] == found.frame_ids
    assert found.candidates.frame_ids == every.candidates.frame_ids
    why = "decoding shows it at" if way == "later" else "the video has no frame"
    assert why in caplog.text


def test_with_a_second_model_the_least_score_and_the_least_gap(video):
    """Frame 125 scores -6, 130 -1, 135 -4, 140 -9."""
    every = only(run(coarse(scan="exhaustive"), [(video, "131")]))
    assert every.frame_ids == [125, 130, 135, 140]
    found = only(run(coarse(min_score=-5.0), [(video, "131")]))
    assert (found.frame_ids, found.scores) == ([130, 135], [-1.0, -4.0])
    assert found.account.frames_scored < 35
    apart = coarse(min_gap=0.3)
    found = only(run(apart, [(video, "131")]))
    every = only(run(replace(apart, scan="exhaustive"), [(video, "131")]))
    assert found.frame_ids == every.frame_ids == [120, 130, 140, 150]
    assert found.account.frames_scored < 35
    again = coarse(rerank="second", rerank_candidates=8)
    found = only(run(again, [(video, "131")], matcher=FrameNumber()))
    assert (found.frame_ids, found.scores) == ([135, 140, 145, 150], [135, 140, 145, 150])
    assert (found.account.scored_again, found.account.frames_scored < 35) == (8, True)


def test_a_video_that_the_budget_allows_for_is_looked_at_wholly(video, caplog):
    caplog.set_level(logging.INFO, "spark_keyframes")
    found = only(run(coarse(scan_budget=1.0), [(video, "131")]))
    assert found.account.frames_scored == 50
    assert "scan_budget allows for all 50 candidates" in caplog.text
    small = only(run(coarse(scan_budget=0.01, max_num_frames=4), [(video, "131")]))
    assert small.account.frames_scored >= 4


def test_keyframes_that_are_no_candidates_never_make_it_score_more_than_all(video, caplog):
    """36 of 50 candidates have to be scored, and of the keyframes 14 or more are none."""
    caplog.set_level(logging.INFO, "spark_keyframes")
    of = coarse(max_num_frames=36, scan_budget=0.35)
    found = only(run(of, [(video, "131")])).account
    assert found.candidates_total == 50
    assert (found.frames_scored, found.guides_scored) == (50, 0)
    assert "keyframes that are none would be scored, and it has 50 candidates" in caplog.text


def test_it_can_miss_a_needle(video):
    """Frame 115 alone matches, and no keyframe shows it."""

    class Needle(FrameNumber):
        def predict_step(self, inputs, texts):
            return [float(number == 115) for number in inputs]

    of = coarse(Needle(), max_num_frames=1, scan_budget=0.5)
    every = only(run(replace(of, scan="exhaustive"), [(video, "")]))
    assert every.frame_ids == [115]
    assert only(run(of, [(video, "")])).frame_ids != [115]


@pytest.mark.parametrize(
    "name",
    [
        *("h264 open GOP ts", "h264 variable rate", "hevc mkv", "vp9 webm", "mpeg2 ps", "av1 mp4"),
        *("h264 edit list", "h264 intra refresh", "h264 every frame a keyframe", "h264 29.97"),
        *("mpeg4 avi", "h264 interlaced", "h264 ts from 10 s"),
    ],
)
def test_whatever_the_file_what_is_looked_at_is_as_exhaustive_finds_it(
    name, tmp_path, caplog, monkeypatch
):
    caplog.set_level(logging.INFO, "spark_keyframes")
    monkeypatch.setattr("spark_keyframes.scan.plan._FEWEST_GOPS", 1)
    path = tmp_path / "video"
    path.write_bytes(clip_named(name))
    of = coarse(fps=8, scan_budget=0.4)
    found = only(run(of, [(path, "31")])).candidates
    every = only(run(replace(of, scan="exhaustive"), [(path, "31")])).candidates
    rows = list(zip(every.frame_ids, every.timestamps, every.scores, strict=True))
    looked = list(zip(found.frame_ids, found.timestamps, found.scores, strict=True))
    assert looked == [row for row in rows if row in looked]
    assert "was planned at" not in caplog.text
