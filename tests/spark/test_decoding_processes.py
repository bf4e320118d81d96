"""Decode processes that die during a run: no row is lost or doubled."""

import os
import signal
from pathlib import Path

import pytest
import torch

from spark_keyframes import Limits
from spark_keyframes.engine import Pipeline, Request
from spark_keyframes.result import Failure
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.video.process.process_pool import process_pool
from tests.video.clips import clip, number_in
from tests.video.test_decode_limits import static_4k

CPU = torch.device("cpu")


@pytest.fixture
def outcomes(models):
    def run(videos, watch=lambda number: None, **parameters):
        given = {"text": "spoon", "model_path": str(models), "clip_model_name": "small"}
        given |= {"fps": 5.0, "max_num_frames": 4, "dtype": "float32", **parameters}
        sampler = VideoAdaptiveKeyframesSampling(**given)
        pipeline = Pipeline(sampler.make_module(), sampler, threads=2)
        found = []
        requests = (Request(str(video), "spoon") for video in videos)
        for outcome in pipeline.run(requests, device=CPU):
            found.append(outcome)
            watch(len(found))
        return found

    return run


def processes():
    """Return the pids of this process's decode processes, busy or idle."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            parent = (proc / "stat").read_text().rpartition(")")[2].split()[1]
            command = (proc / "cmdline").read_text()
        except OSError:
            continue
        if int(parent) == os.getpid() and "spark_keyframes.video.process" in command:
            found.append(int(proc.name))
    return found


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.slow)]
)
def test_rows_are_those_of_an_undisturbed_run(outcomes, clips, number):
    videos = [*clips] * 14
    undisturbed = outcomes(videos)
    killed = []

    def watch(done):
        # Far enough apart that no video loses its process twice.
        if done in (5, 20, 35):
            for pid in processes():
                killed.append(pid)
                os.kill(pid, number)

    disturbed = outcomes(videos, watch)
    assert len(killed) >= 3
    assert len(disturbed) == len(undisturbed) == 42
    for one, two in zip(disturbed, undisturbed, strict=True):
        assert not isinstance(one, Failure), one
        assert one.frame_ids == two.frame_ids
        assert one.scores == pytest.approx(two.scores, abs=1e-6)
        assert [number_in(image) for image in one.images] == two.frame_ids


def test_a_decompression_bomb_fails_its_own_row_only(outcomes, clips, tmp_path):
    bomb, large = tmp_path / "endless.mp4", tmp_path / "large.mp4"
    bomb.write_bytes(static_4k())
    large.write_bytes(clip("libx264", "mp4", frames=3, size=(1920, 1080)))
    limits = Limits(max_decode_seconds=3.0, max_decode_bytes=60 * 2**20, max_pixels=3840 * 2160)
    found = outcomes([clips[0], bomb, clips[1], clips[2]], fps=25.0, limits=limits)
    assert [getattr(each, "error", None) for each in found] == [None, "LimitError", None, None]
    assert "max_decode_" in found[1].message
    assert str(bomb) in found[1].message


def test_processes_are_kept_for_the_next_run(outcomes, clips):
    outcomes(clips)
    before = set(processes())
    outcomes(clips)
    assert before
    assert set(processes()) == before


def test_closing_a_run_early_ends_its_decoding(models, clips):
    given = {"text": "spoon", "model_path": str(models), "clip_model_name": "small"}
    sampler = VideoAdaptiveKeyframesSampling(**given, fps=25.0, dtype="float32")
    pipeline = Pipeline(sampler.make_module(), sampler, threads=2)
    run = pipeline.run((Request(str(clips[0]), "x") for _ in range(99)), device=CPU)
    next(run)
    run.close()
    assert not process_pool().thread_counts.counts.any(), "a thread still decodes"
