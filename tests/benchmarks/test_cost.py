"""Checks the sums of the cost model against hand-computed ones."""

import sys

import pytest

from benchmarks import cost


def hours(monkeypatch, capsys, *arguments):
    """Return the hours of each resource, in printed order."""
    monkeypatch.setattr(sys, "argv", ["cost", *map(str, arguments)])
    cost.main()
    lines = capsys.readouterr().out.splitlines()[1:-2]
    return {line[:32].strip(): float(line.split()[-1]) for line in lines}


def test_resources_are_sorted_by_their_hours(monkeypatch, capsys):
    found = hours(monkeypatch, capsys, "--video-hours", 1e6, "--gpus", 100)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert next(iter(found)) == "storage: bytes in"
    # 100 GPUs score 3.6e9 candidates; 485 TB come at 10 Gbit/s.
    assert found["GPUs: CLIP"] == pytest.approx(3.6e9 / 4601 / 100 / 3600, abs=0.1)
    assert found["storage: bytes in"] == pytest.approx(485.3e12 / 1.25e9 / 3600, abs=0.1)


def test_without_gpus_the_cpus_score_too(monkeypatch, capsys):
    with_gpus = hours(monkeypatch, capsys, "--gpus", 100, "--cpus", 8)["CPUs: decoding"]
    without = hours(monkeypatch, capsys, "--gpus", 0, "--cpus", 800)
    assert "GPUs: CLIP" not in without
    scoring = 3.6e9 * cost.CLIP_CPU / 800 / 3600
    more_tasks = 7 / 8 * 375_000 * cost.TASK / 800 / 3600
    assert without["CPUs: decoding, CLIP"] == pytest.approx(
        with_gpus + scoring + more_tasks, abs=0.2
    )


def test_twice_as_many_videos_of_half_the_length_have_twice_the_images(monkeypatch, capsys):
    ten, five = (hours(monkeypatch, capsys, "--minutes", n)["storage: PUTs"] for n in (10, 5))
    assert five == pytest.approx(2 * ten, rel=0.02)


def test_a_short_video_has_no_more_keyframes_than_candidates(monkeypatch, capsys):
    shown = hours(monkeypatch, capsys, "--minutes", 0.25, "--frames", 32, "--fps", 1)
    assert shown["storage: PUTs"] == pytest.approx(3.6e9 / 10_000 / 3600, abs=0.1)


@pytest.mark.parametrize(("minutes", "requests"), [(0.5, 1), (1, 2), (10, 16), (60, 29)])
def test_parts_of_a_video_are_requests(minutes, requests):
    assert cost.gets(cost.KINDS["720p"], minutes) == requests
